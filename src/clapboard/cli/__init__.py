"""The command ``clapboard``: ``check`` measures, ``fix`` repairs, ``features`` hands on what the networks see.

Exit codes, the same for every command; for several files the highest of theirs:

====  ==========================================================================================
0     in sync; for ``fix``: nothing to do, or written and confirmed; for ``features``: written
1     out of sync
2     usage: an argument makes no sense
3     undecided: there are reasons not to trust the measurement
4     a file cannot be read or written
5     an extra is missing, or a model is missing or not as it should be
70    a defect of Clapboard; ``CLAPBOARD_DEBUG=1`` shows where
129   ended by the signal SIGHUP
130   interrupted from the keyboard
141   whoever read the output went away
143   ended by the signal SIGTERM
====  ==========================================================================================
"""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    ``argv`` are the arguments without the program's name; None takes those of the process.
    """
    from clapboard.runtime import one_blas_thread

    with one_blas_thread():
        try:
            from clapboard.cli.app import run
        except KeyboardInterrupt:  # Ctrl-C while the packages are loaded
            return 130
        return run(argv)
