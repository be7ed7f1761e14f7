"""What is asked about: classes by name, ranges of files, and their segments on paper."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clapboard.dataset.classes import choose
from clapboard.errors import UsageError

VEGAS: Mapping[str, tuple[str, ...]] = {
    "baby crying": ("Baby cry, infant cry",),
    "human snoring": ("Snoring",),
    "dog": ("Dog",),
    "water flowing": ("Stream", "Waterfall", "Trickle, dribble", "Gush", "Water tap, faucet"),
    "fireworks": ("Fireworks",),
    "rail transport": ("Rail transport",),
    "printer": ("Printer",),
    "drum": ("Drum",),
    "helicopter": ("Helicopter",),
    "chainsaw": ("Chainsaw",),
}
"""The ten classes of VEGAS by AudioSet's display names. AudioSet has no "water flowing": these five are our reading."""
VEGAS_MIDS: Mapping[str, str] = {
    "/t/dd00002": "Baby cry, infant cry",
    "/m/01d3sd": "Snoring",
    "/m/0bt9lr": "Dog",
    "/m/0j6m2": "Stream",
    "/m/0j2kx": "Waterfall",
    "/m/07pqc89": "Trickle, dribble",
    "/t/dd00088": "Gush",
    "/m/02jz0l": "Water tap, faucet",
    "/m/0g6b5": "Fireworks",
    "/m/06d_3": "Rail transport",
    "/m/01m4t": "Printer",
    "/m/026t6": "Drum",
    "/m/09ct_": "Helicopter",
    "/m/01j4z9": "Chainsaw",
}
"""Those by AudioSet's number (class_labels_indices.csv), so that the preset needs no file of names."""
PRESETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {"vegas": VEGAS}
SHORTEST_TAIL = 0.5
"""What is left behind the last whole segment is one of its own where it is at least this part of one."""
EDGE_MS = 250
"""Sound that begins or ends this much inside the picture counts as if it were there from edge to edge (ms)."""


def classes_by_mid(said: str | None, names: Mapping[str, str] | None, *, where: str) -> dict[str, frozenset[str]]:
    """Classes of a list: what each is called here, and the mids of AudioSet that it takes in.

    Parameters
    ----------
    said : a preset, or names and mids with commas between them; None takes every class of ``names``
    names : display names by mid; None knows those of the presets alone
    where : what to call the place where the names come from

    Raises
    ------
    UsageError : there is no such class
    """
    preset = PRESETS.get((said or "").strip().casefold())
    if preset is not None:
        mids = {name: mid for mid, name in VEGAS_MIDS.items()}
        return {word: frozenset(mids[name] for name in inner) for word, inner in preset.items()}
    if said is None:
        if names is None:
            raise UsageError("which classes of the list? give --classes, such as vegas, or --class-names")
        return {name: frozenset({mid}) for mid, name in names.items()}
    known = VEGAS_MIDS if names is None else names
    if names is None and all(word.strip().startswith("/") for word in said.split(",")):
        return {VEGAS_MIDS.get(mid, mid): frozenset({mid}) for mid in (word.strip() for word in said.split(","))}
    return {known[mid]: frozenset({mid}) for mid in choose(said, known, where=where)}


def classes_by_name(said: str | None, names: Iterable[str], *, where: str) -> dict[str, str]:
    """Classes of folders: what each folder is called, and what its class is called here.

    Folders may bear the name of the preset or the display name of AudioSet, in capitals or not.

    Parameters
    ----------
    said : a preset, or names with commas between them; None takes all
    names : of the folders
    where : what to call the place where they are

    Raises
    ------
    UsageError : there is no such folder, or none of a preset
    """
    names = sorted(set(names))
    preset = PRESETS.get((said or "").strip().casefold())
    if preset is None:
        every = {name: name for name in names}
        return every if said is None else {name: name for name in sorted(choose(said, every, where=where))}
    words = {word.casefold(): word for word in preset}
    words |= {name.casefold(): word for word, inner in preset.items() for name in inner}
    found = {name: words[name.casefold()] for name in names if name.casefold() in words}
    if not found:
        raise UsageError(f"{where} has no folder of the classes of {said}: {', '.join(preset)}")
    return found


@dataclass(frozen=True, slots=True)
class Extent:
    """From when to when a file has picture and sound, ms of its clock."""

    start_ms: int
    end_ms: int


def extent(picture: tuple[float, float], sound: tuple[float, float]) -> Extent | None:
    """Where there is both, by start and end of the two, s; None where that is nowhere."""
    (picture_s, picture_end_s), (sound_s, sound_end_s) = picture, sound
    edge_s = EDGE_MS / 1000
    start_s = picture_s if sound_s <= picture_s + edge_s else sound_s
    end_s = picture_end_s if sound_end_s >= picture_end_s - edge_s else sound_end_s
    start_ms, end_ms = max(0, round(start_s * 1000)), round(end_s * 1000)
    return Extent(start_ms, end_ms) if end_ms > start_ms else None


def pieces(start_ms: int, end_ms: int, segment_ms: int) -> list[tuple[int, int]]:
    """Segments of a range, one after the other; a last one that is shorter counts from half a segment on.

    Returns
    -------
    start and end of each, ms, half-open and without holes
    """
    found = [(at, at + segment_ms) for at in range(start_ms, end_ms - segment_ms + 1, segment_ms)]
    rest_ms = found[-1][1] if found else start_ms
    if end_ms - rest_ms >= SHORTEST_TAIL * segment_ms:
        found.append((rest_ms, end_ms))
    return found
