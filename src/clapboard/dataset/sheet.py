"""Contact sheet: a page to look at, with a few moments of speech of each track and what the manifest says of it.

One HTML file without anything beside it: a picture alone could not say which track is which.
"""

import base64
import html
import os
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.store import Dataset, Entry, Stored
from clapboard.errors import MediaError
from clapboard.timebase import FRAME_MS, PICTURE_HZ, SAMPLE_RATE_HZ, clock

MOST_TRACKS = 400
"""A larger data set is shown by so many tracks, evenly spaced: more are not looked at, and slow down the browser."""
MOMENTS = 8
MOST_PX = 96
"""Larger crops are thinned out to at most this."""
_STYLE = """
body { background: #16181c; color: #d8dade; font: 13px/1.4 system-ui, sans-serif; margin: 24px }
main { display: flex; flex-wrap: wrap; gap: 14px } figure { margin: 0; width: 560px }
img { display: block; width: 100% } figcaption { overflow-wrap: anywhere } small { color: #8b9099 }
td { padding-right: 16px }
"""


def write_sheet(dataset: Dataset, path: str | Path) -> int:
    """Write the page; returns the number of tracks shown.

    Raises
    ------
    MediaError : it cannot be written, or the data set cannot be read
    """
    path, count = Path(path), len(dataset.entries)
    shown = sorted(dataset.entries, key=lambda entry: (entry.corpus, entry.file, entry.start_s))
    if count > MOST_TRACKS:
        shown = [shown[round(at)] for at in np.linspace(0, count - 1, MOST_TRACKS)]
    figures = "\n".join(_figure(entry, dataset) for entry in shown)
    minutes = float(sum(entry.frames for entry in dataset.entries) / dataset.picture_hz / 60)
    name = html.escape(_text(dataset.folder.resolve().name))
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>\n'
        f"<h1>{name}</h1><p>{len(shown)} of {count} tracks; {minutes:.1f} minutes in all; view {dataset.view}</p>\n"
        f"{_dropped(dataset)}<main>\n{figures}\n</main></html>\n"
    )
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        part.unlink(missing_ok=True)
    return len(shown)


def _dropped(dataset: Dataset) -> str:
    """Table of what was not kept."""
    counts = Counter(row.reason for row in dataset.dropped)
    rows = "".join(f"<tr><td>{count}<td>{html.escape(reason)}" for reason, count in counts.most_common())
    return f"<p>Not kept:<table>{rows}</table>\n" if rows else ""


def _figure(entry: Entry, dataset: Dataset) -> str:
    """One track: its moments side by side, and the caption."""
    stored = dataset.stored(entry)
    images = stored.images[moments(stored, dataset.sound_hz)]
    step = -(-images.shape[1] // MOST_PX)
    strip = np.concatenate(list(images[:, ::step, ::step]), axis=1)
    source = base64.b64encode(png(strip)).decode()
    what = f"{float(entry.frames / dataset.picture_hz):.1f} s from {clock(entry.start_s)}, "
    if dataset.kind == "faces":
        what += f"face {entry.face_px:.0f} px, speech {entry.speech_share:.0%}"
    else:
        what += f"sound {entry.speech_share:.0%}{f', {html.escape(_text(entry.label))}' if entry.label else ''}"
    who = html.escape(_text(f"{entry.corpus} / {entry.speaker}"))
    return (
        f'<figure><img alt="" src="data:image/png;base64,{source}"><figcaption>{html.escape(entry.id)}: {what}<br>'
        f"<small>{who}: {html.escape(_text(entry.file))}</small></figcaption></figure>"
    )


def moments(stored: Stored, sound_hz: int = SAMPLE_RATE_HZ) -> NDArray[np.int64]:
    """Up to `MOMENTS` frames, evenly spaced among the louder half of the track, (M,) ascending."""
    begin = np.round((stored.time_s - stored.start_s - FRAME_MS / 2000) * sound_hz).astype(np.int64)
    loudness = stored.samples.astype(np.float64) ** 2
    if loudness.ndim > 1:
        loudness = loudness.sum(axis=1)
    energy = np.concatenate([[0.0], np.cumsum(loudness)])
    edges = np.clip([begin, begin + sound_hz // PICTURE_HZ], 0, len(stored.samples))
    power = energy[edges[1]] - energy[edges[0]]
    loud = np.flatnonzero(power >= np.median(power))
    return loud[np.round(np.linspace(0, len(loud) - 1, min(MOMENTS, len(loud)))).astype(np.int64)]


def png(image: NDArray[np.uint8]) -> bytes:
    """A picture as a PNG file: (H, W) gray or (H, W, 3) RGB, uint8 [1]_.

    References
    ----------
    .. [1] W3C, "Portable Network Graphics (PNG) Specification", sections 5.3 and 11.2.
    """
    height, width = image.shape[:2]

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2 if image.ndim == 3 else 0, 0, 0, 0)
    lines = np.zeros((height, 1 + image[0].size), np.uint8)  # each line begins with its filter: 0, none
    lines[:, 1:] = image.reshape(height, -1)
    body = zlib.compress(lines.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _text(name: str) -> str:
    """A name that may hold any bytes, as text."""
    return os.fsencode(name).decode(errors="replace")
