r"""Sound for a silent picture: what is seen decides what is heard, and when.

decode -> picture grid -> shots, squeezed -> cues -> blows of a bank, textures    \
                                          -> conditioning -> SampleRNN             candidates -> ranked -> track -> dub
                                          -> vectors of the model for any sound   /

One decode, streaming. Kept of a file: 190 bytes of cues a row of the shot that runs, a plan of its blows, 32 kB a
second of what else sounds, and 7 kB a second of what the model for any sound saw; the finished track is 64 kB a second.
"""

from clapboard.dubbing.run import VARIANTS, FoleyReport, foley

__all__ = ["VARIANTS", "FoleyReport", "foley"]
