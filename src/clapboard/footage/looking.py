"""The page of a check: pictures of each block of time and what is heard, from a second reading of the file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.files import require_writable, write_text
from clapboard.footage.source import named
from clapboard.media.read import read
from clapboard.report.blocks import SHARP, SIDE_PX, Blocks, Onsets, grouped
from clapboard.report.check_page import LARGE_PX, page
from clapboard.report.heat import enlarged
from clapboard.report.pictures import fitted
from clapboard.sound.kinds import KINDS
from clapboard.sound.onsets import events_s, row_times_s, strength
from clapboard.sound.rows import Rows
from clapboard.values import Frame, Hook, Report

PAGE_ENDINGS = (".html", ".htm")
ONSET_KIND = "log-mel-40"

LEAST_LEVELS = 2.0
"""Less change than this above that of the whole picture is noise of the codec (of 255)."""


def look(report: Report, *, hook: Hook | None = None, threads: int = 1) -> tuple[Blocks, Onsets | None] | None:
    """Read the file of a report once more: a small picture of each block, and what begins to sound.

    No more than a picture a block is kept, and of long films one for several blocks; see `clapboard.report.blocks`. It
    is chosen by `moments`.

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
    blocks, shown = grouped(attention.blocks_s, attention.weights, attention.maps)
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
        for index, colour in enumerate(moments(frames(), attention.blocks_s[shown], attention.maps[shown]))
    ]
    seen = Blocks(blocks.blocks_s, blocks.weights, blocks.maps, tuple(pictures), blocks.joined)
    features = rows.features()
    if not len(features.values):
        return seen, None
    curve = strength(features)
    return seen, Onsets(row_times_s(features), curve, events_s(features, curve))


def moments(
    frames: Iterator[Frame], spans_s: NDArray[np.float64], maps: NDArray[np.floating[Any]]
) -> Iterator[NDArray[np.uint8]]:
    """Yield for each block the picture in which most changes where its weight lies; all frames are read.

    What changes there counts by how much it is above the change of the whole picture, so that cuts and moving cameras
    are no moments. Where nothing stands out it is the picture nearest to the middle, and where a block has none, the
    one before it.

    Parameters
    ----------
    frames : with colours, at least one, in the order of their time
    spans_s : (B, 2) begin and end of the blocks, ascending
    maps : (B, h, w)

    Yields
    ------
    (H, W, 3) uint8
    """
    waiting = list(zip(spans_s.tolist(), maps, strict=True))[::-1]
    before: Frame | None = None
    best: Frame | None = None
    most = 0.0
    for frame in frames:
        while waiting and before is not None and frame.time_s >= waiting[-1][0][1]:
            waiting.pop()
            yield _colours(best or before)
            best, most = None, 0.0
        if waiting and frame.time_s >= waiting[-1][0][0]:
            span_s, weights = waiting[-1]
            # what stands out counts in levels, nearness to the middle in parts of one
            value = max(_stands_out(before, frame, weights) - LEAST_LEVELS, 0.0) or _middle(frame.time_s, span_s)
            if best is None or value > most:
                best, most = frame, value
        before = frame
    if before is not None:
        for _ in waiting:
            yield _colours(best or before)
            best = None


def _stands_out(before: Frame | None, frame: Frame, weights: NDArray[np.floating[Any]]) -> float:
    """By how many levels more a picture changes where the weight lies than elsewhere."""
    if before is None or before.thumbnail.shape != frame.thumbnail.shape or weights.sum() <= 0:
        return 0.0
    change = np.abs(frame.thumbnail[..., 0].astype(np.float64) - before.thumbnail[..., 0])
    share = enlarged(weights, change.shape[0], change.shape[1])
    return float((share * change).sum() / share.sum() - change.mean())


def _middle(time_s: float, span_s: list[float]) -> float:
    """How near a time is to the middle of a block, from 0 at its ends to 0.001, below one level of any change."""
    half_s = max((span_s[1] - span_s[0]) / 2, 1e-9)
    return 1e-3 * (1 - abs(time_s - (span_s[0] + span_s[1]) / 2) / half_s)


def _colours(frame: Frame) -> NDArray[np.uint8]:
    """The colours of a frame that was read with them."""
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
