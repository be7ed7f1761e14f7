"""The page of a check: pictures of each block of time and what is heard, from a second reading of the file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.files import require_writable, write_text
from clapboard.footage.source import named
from clapboard.media.read import read
from clapboard.report.blocks import SHARP, SIDE_PX, Blocks, Onsets, grouped
from clapboard.report.check_page import LARGE_PX, page
from clapboard.report.pictures import fitted
from clapboard.sound.kinds import KINDS
from clapboard.sound.onsets import events_s, row_times_s, strength
from clapboard.sound.rows import Rows
from clapboard.values import Frame, Hook, Report

PAGE_ENDINGS = (".html", ".htm")
ONSET_KIND = "log-mel-40"

U8 = NDArray[np.uint8]


def look(report: Report, *, hook: Hook | None = None, threads: int = 1) -> tuple[Blocks, Onsets | None] | None:
    """Read the file of a report once more: a small picture of each block, and what begins to sound.

    No more than a picture a block is kept, and of long films one for several blocks; see `clapboard.report.blocks`.

    Parameters
    ----------
    report : with ``attention``
    hook : called as ``hook("look", done_s, total_s)``
    threads : of the decoder

    Returns
    -------
    Blocks with their pictures, and the sound (None where the file has none); None where the report has no blocks

    Raises
    ------
    MediaError : the file cannot be read any more
    """
    attention, clip = report.attention, report.clip
    if attention is None or clip is None or not len(attention.weights):
        return None
    blocks, times_s = grouped(attention.blocks_s, attention.weights, attention.maps)
    heaviest = int(np.argmax(blocks.weights))
    rows = Rows(KINDS[ONSET_KIND])

    def frames() -> Iterator[Frame]:
        heard = clip.audio is not None
        for item in read(clip, audio=heard, colour=True, hook=named("look", hook), threads=threads):
            if isinstance(item, Frame):
                yield item
            else:
                rows.push(item)

    pictures = [
        fitted(colour, LARGE_PX if index == heaviest else SHARP * SIDE_PX)
        for index, colour in enumerate(nearest(frames(), times_s))
    ]
    seen = Blocks(blocks.blocks_s, blocks.weights, blocks.maps, tuple(pictures), blocks.joined)
    features = rows.features()
    if not len(features.values):
        return seen, None
    curve = strength(features)
    return seen, Onsets(row_times_s(features), curve, events_s(features, curve))


def nearest(frames: Iterator[Frame], times_s: NDArray[np.float64]) -> Iterator[U8]:
    """Yield for each time the colours (H, W, 3) of the frame nearest to it; all frames are read.

    Parameters
    ----------
    frames : with colours, at least one, in the order of their time
    times_s : ascending
    """
    waiting, before = list(reversed(times_s.tolist())), None
    for frame in frames:
        while waiting and before is not None and waiting[-1] - before.time_s < frame.time_s - waiting[-1]:
            waiting.pop()
            yield _colours(before)
        before = frame
    for _ in waiting if before is not None else []:
        yield _colours(before)


def _colours(frame: Frame | None) -> U8:
    """The colours of a frame that was read with them."""
    assert frame is not None
    assert frame.colour is not None
    return frame.colour


def write_page(
    report: Report, out: str | Path, *, overwrite: bool = False, hook: Hook | None = None, threads: int = 1
) -> None:
    """Write the page of a check as one HTML file that needs nothing else.

    Parameters
    ----------
    report : of a file that could be measured; where it was measured by any sound, the file is read once more
    out : a name that ends in .html or .htm
    overwrite : replace an existing file; the file that was measured is never replaced
    hook : called as ``hook("look", done_s, total_s)``
    threads : of the decoder

    Raises
    ------
    UsageError : ``out`` is the input, exists already, or has another ending; or there is nothing to report of
    MediaError : the file cannot be read any more, or the page cannot be written
    """
    target, clip = Path(out), report.clip
    require_page(target)
    if clip is None or report.error:
        raise UsageError(f"{report.file}: could not be measured, so that there is nothing to report; see its error")
    require_writable(target, clip.path, overwrite, "--report")
    blocks, onsets = look(report, hook=hook, threads=threads) or (None, None)
    write_text(page(report, blocks, onsets), target, overwrite)


def require_page(target: Path) -> None:
    """Refuse a name that is not that of a page.

    Raises
    ------
    UsageError : as said
    """
    if target.suffix.lower() not in PAGE_ENDINGS:
        raise UsageError(f"{target}: a page is written as {' or '.join(PAGE_ENDINGS)}; give such a name")
