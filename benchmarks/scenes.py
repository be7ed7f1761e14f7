"""Scenes with several real faces and one voice, made from single-face clips, with the truth of who speaks when.

    python benchmarks/scenes.py --talking ../shared/data/talking --part dev -o runs/scenes/dev [--seed 0] [--count 12]

Faces stand side by side. All voices are moved onto one clock by the clips' references; then each scene's sound is moved
by one known offset within +-200 ms. Kinds:

quiet        one speaks its clip; the others are in their rests (silent stretches, played forth and back)
talking      one speaks its clip; the others talk something else that is not heard
alternating  two faces; the speaker changes every 1.5 to 4 s, the other is in a rest meanwhile
offscreen    two or three faces, resting or talking something else, and the voice of a person who is not shown
mixed        first a face on screen speaks, then a person who is not shown; the faces rest otherwise

truth.json holds for each scene ``faces`` (left_px, right_px, file, person), ``voices``, ``people`` (everybody seen or
heard), ``offset_ms`` (positive = sound early) and ``truth``: one number for each frame of the 25 Hz grid from
``first_frame`` on, by the picture's clock: the index of the face that speaks, -1 nobody, -2 a person not shown. A voice
speaks where it is within 30 dB of its loud parts; pauses below 0.3 s are bridged. Files are H.264 and PCM in Matroska;
they start at the picture or at the sound, whichever comes first. Nothing of them may be published.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.media.write import write_clip
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.values import F32
from takes import TILE_PX, Take, load_takes

NOBODY, NOT_SHOWN = -1, -2
MAX_OFFSET_MS = 200
TURN_S = (1.5, 4.0)
ALTERNATING_S = (8.0, 12.0)
VOICE_S = (2.0, 5.0)
"""How long the person who is not shown speaks in a mixed scene."""
GAP_FRAMES = 3
"""Between two turns."""
FADE_S = 0.02
SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // PICTURE_HZ


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames ``begin`` to ``end`` of a take."""

    take: Take
    begin: int
    end: int

    def __len__(self) -> int:
        """Frames."""
        return self.end - self.begin


@dataclass(slots=True)
class Scene:
    """A scene in the making: for each face (take, frame) at every frame, the sound in sync, the truth."""

    kind: str
    others: str
    faces: list[list[tuple[Take, int]]]
    samples: F32
    truth: NDArray[np.int64]
    voices: list[Take]


def whole(take: Take) -> Stretch:
    """All of a take."""
    return Stretch(take, 0, len(take.frames))


def back_and_forth(stretch: Stretch, count: int, start: int = 0) -> list[tuple[Take, int]]:
    """So many frames of a stretch, played forth and back from one of its frames on."""
    period = max(1, 2 * len(stretch) - 2)
    at = (start + np.arange(count)) % period
    return [(stretch.take, stretch.begin + int(min(i, period - i))) for i in at]


def rest_of(take: Take) -> Stretch:
    """The longest rest."""
    return Stretch(take, *max(take.rests, key=lambda rest: rest[1] - rest[0]))


def speech_of(stretch: Stretch) -> tuple[F32, NDArray[np.bool_]]:
    """Sound of a stretch, faded at its ends, and where it speaks."""
    samples = stretch.take.samples[stretch.begin * SAMPLES_PER_FRAME : stretch.end * SAMPLES_PER_FRAME].copy()
    ramp = np.linspace(0, 1, round(FADE_S * SAMPLE_RATE_HZ), dtype=np.float32)
    samples[: len(ramp)] *= ramp
    samples[-len(ramp) :] *= ramp[::-1]
    return samples, stretch.take.speaks[stretch.begin : stretch.end]


class People:
    """Takes by person, given out so that all people come equally often."""

    def __init__(self, takes: Sequence[Take], rng: np.random.Generator) -> None:
        self.rng = rng
        self.takes = list(takes)
        self.used = dict.fromkeys((take.person for take in takes), 0)

    def next(self, without: set[str]) -> Take | None:
        """A take of the person who came least often, among those not yet in the scene; None when all are."""
        free = [person for person in self.used if person not in without]
        if not free:
            return None
        least = min(self.used[person] for person in free)
        person = str(self.rng.choice([person for person in free if self.used[person] == least]))
        self.used[person] += 1
        mine = [take for take in self.takes if take.person == person]
        without.add(person)
        return mine[int(self.rng.integers(len(mine)))]

    def several(self, number: int, without: set[str]) -> list[Take] | None:
        """Takes of so many different people."""
        found = [self.next(without) for _ in range(number)]
        return None if any(take is None for take in found) else [take for take in found if take is not None]


class Director:
    """Makes scenes of every kind from the takes."""

    def __init__(self, takes: Sequence[Take], rng: np.random.Generator) -> None:
        self.rng = rng
        self.speakers = People(takes, rng)
        self.talkers = People(takes, rng)
        self.resting = People([take for take in takes if take.rests], rng)
        self.turns = People([take for take in takes if take.rests and self._turns(take)], rng)

    def _turns(self, take: Take) -> list[Stretch]:
        """What a person can say in one turn: from a rest to the next, or a first part where that is long."""
        edges = [0, *(edge for rest in take.rests for edge in rest), len(take.frames)]
        shortest, longest = (round(seconds * PICTURE_HZ) for seconds in TURN_S)
        found = []
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            last = end if end - begin <= longest else begin + int(self.rng.integers(2 * PICTURE_HZ, longest + 1))
            if end - begin >= shortest and take.speaks[begin:last].mean() >= 0.6:
                found.append(Stretch(take, begin, last))
        return found

    def _listeners(self, number: int, frames: int, others: str, without: set[str]) -> list | None:
        """Faces that are not heard."""
        takes = (self.resting if others == "quiet" else self.talkers).several(number, without)
        if takes is None:
            return None
        stretches = [rest_of(take) if others == "quiet" else whole(take) for take in takes]
        return [back_and_forth(s, frames, int(self.rng.integers(2 * len(s)))) for s in stretches]

    def _place(self, faces: list) -> tuple[list, int]:
        """Faces in any order, and where the first one went."""
        order = self.rng.permutation(len(faces))
        return [faces[i] for i in order], int(np.flatnonzero(order == 0)[0])

    def one_speaks(self, faces: int, others: str) -> Scene | None:
        """One face speaks its clip."""
        people: set[str] = set()
        speaker = self.speakers.next(people)
        if speaker is None:
            return None
        listeners = self._listeners(faces - 1, len(speaker.frames), others, people)
        if listeners is None:
            return None
        mine = [(speaker, i) for i in range(len(speaker.frames))]
        tiles, at = self._place([mine, *listeners])
        samples, speaks = speech_of(whole(speaker))
        return Scene(others, others, tiles, samples, np.where(speaks, at, NOBODY), [speaker])

    def off_screen(self, faces: int, others: str) -> Scene | None:
        """Faces, and the voice of somebody else."""
        people: set[str] = set()
        speaker = self.speakers.next(people)
        if speaker is None:
            return None
        tiles = self._listeners(faces, len(speaker.frames), others, people)
        if tiles is None:
            return None
        samples, speaks = speech_of(whole(speaker))
        return Scene("offscreen", others, tiles, samples, np.where(speaks, NOT_SHOWN, NOBODY), [speaker])

    def mixed(self, faces: int) -> Scene | None:
        """First a face speaks, then somebody not shown."""
        people: set[str] = set()
        shown, hidden = self.turns.next(people), self.speakers.next(people)
        if shown is None or hidden is None:
            return None
        turns = self._turns(shown)
        turn = turns[int(self.rng.integers(len(turns)))]
        longest = round(VOICE_S[1] * PICTURE_HZ)
        spoken = np.flatnonzero(hidden.speaks)
        first = int(spoken[0])
        voice = Stretch(hidden, first, min(first + longest, int(spoken[-1]) + 1))
        if len(voice) < VOICE_S[0] * PICTURE_HZ:
            return None
        frames = len(turn) + GAP_FRAMES + len(voice)
        listeners = self._listeners(faces - 1, frames, "quiet", people)
        if listeners is None:
            return None
        rest = back_and_forth(_rest_after(turn), frames - len(turn))
        tiles, at = self._place([[(shown, i) for i in range(turn.begin, turn.end)] + rest, *listeners])
        samples, truth = _joined([(turn, at), (voice, NOT_SHOWN)])
        return Scene("mixed", "quiet", tiles, samples, truth, [shown, hidden])

    def alternating(self) -> Scene | None:
        """Two faces take turns."""
        people: set[str] = set()
        pair = self.turns.several(2, people)
        if pair is None:
            return None
        mine = [self._turns(take) for take in pair]  # of one take each: a jump to another looks like a cut
        parts: list[tuple[Stretch, int]] = []
        tiles: list[list[tuple[Take, int]]] = [[], []]
        resting = [rest_of(take) for take in pair]
        wanted_s, who = self.rng.uniform(ALTERNATING_S[0], ALTERNATING_S[1] - 2), int(self.rng.integers(2))
        while len(tiles[0]) < wanted_s * PICTURE_HZ:
            turn = mine[who][int(self.rng.integers(len(mine[who])))]
            gap = GAP_FRAMES if parts else 0
            tiles[who] += back_and_forth(resting[who], gap, _phase(tiles[who], resting[who]))
            tiles[who] += [(turn.take, i) for i in range(turn.begin, turn.end)]
            other = 1 - who
            tiles[other] += back_and_forth(resting[other], gap + len(turn), _phase(tiles[other], resting[other]))
            resting[who] = _rest_after(turn)
            parts.append((turn, who))
            who = other
        samples, truth = _joined(parts)
        return Scene("alternating", "quiet", tiles, samples, truth, pair)

    def all(self, count: int) -> Iterator[Scene]:
        """So many scenes of every kind and number of faces, as far as there are people."""
        makers = [lambda n=n, o=o: self.one_speaks(n, o) for o in ("quiet", "talking") for n in (2, 3, 4)]
        makers += [self.alternating]
        for make in makers:
            yield from _tried(make, count)
        for faces in (2, 3):
            for others in ("quiet", "talking"):
                yield from _tried(lambda n=faces, o=others: self.off_screen(n, o), (count + 1) // 2)
            yield from _tried(lambda n=faces: self.mixed(n), (count + 1) // 2)


def _tried(make, count: int) -> Iterator[Scene]:
    """So many scenes; a maker that finds too few people a few times in a row is left."""
    failed = 0
    while count and failed < 20:
        scene = make()
        if scene is None:
            failed += 1
        else:
            count, failed = count - 1, 0
            yield scene


def _phase(before: list[tuple[Take, int]], rest: Stretch) -> int:
    """Where a rest goes on, so that it does not jump: at the frame shown last, if that is inside."""
    if before and before[-1][0] is rest.take and rest.begin <= before[-1][1] < rest.end:
        return before[-1][1] - rest.begin
    return 0


def _rest_after(turn: Stretch) -> Stretch:
    """The rest into which a turn leads, else the longest."""
    after = [rest for rest in turn.take.rests if rest[0] == turn.end]
    return Stretch(turn.take, *after[0]) if after else rest_of(turn.take)


def _joined(parts: Sequence[tuple[Stretch, int]]) -> tuple[F32, NDArray[np.int64]]:
    """Sound and truth of turns one after the other, with a short gap between them."""
    samples, truth = list[F32](), list[NDArray[np.int64]]()
    for stretch, who in parts:
        if truth:
            samples.append(np.zeros(GAP_FRAMES * SAMPLES_PER_FRAME, np.float32))
            truth.append(np.full(GAP_FRAMES, NOBODY))
        sound, speaks = speech_of(stretch)
        samples.append(sound)
        truth.append(np.where(speaks, who, NOBODY))
    return np.concatenate(samples), np.concatenate(truth)


def write_scene(scene: Scene, path: Path, offset_ms: int) -> int:
    """Write a scene, its sound early by the offset; the grid index of its first frame.

    The picture starts on a point of the grid. The sound begins half a frame before its first frame, as takes do.
    """
    lead_ms = 1000 // (2 * PICTURE_HZ) + offset_ms
    first_frame = max(0, -(-lead_ms * PICTURE_HZ // 1000))
    start_s = first_frame / PICTURE_HZ
    write_clip(
        path,
        (np.concatenate([take.frames[i] for take, i in row], axis=1) for row in zip(*scene.faces, strict=True)),
        PICTURE_HZ,
        scene.samples,
        SAMPLE_RATE_HZ,
        audio_codec="pcm_s16le",
        video_start_s=start_s,
        audio_start_s=start_s - lead_ms / 1000,
        video_options={"preset": "superfast", "crf": "18"},
        overwrite=True,
    )
    return first_frame


def described(scene: Scene, file: str, offset_ms: int, first_frame: int) -> dict:
    """What truth.json says of a scene."""
    faces = []
    for index, tile in enumerate(scene.faces):
        where = {"left_px": index * TILE_PX[0], "right_px": (index + 1) * TILE_PX[0]}
        take = tile[0][0]
        faces.append(where | {"person": take.person, "corpus": take.corpus, "file": take.file})
    return {
        "file": file,
        "kind": scene.kind,
        "others": scene.others,
        "faces": faces,
        "voices": [{"person": take.person, "corpus": take.corpus, "file": take.file} for take in scene.voices],
        "people": sorted({face["person"] for face in faces} | {take.person for take in scene.voices}),
        "offset_ms": offset_ms,
        "first_frame": first_frame,
        "truth": scene.truth.tolist(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--talking", type=Path, default=Path("../shared/data/talking"))
    parser.add_argument("--part", choices=("dev", "train"), required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=12, help="scenes of each kind and number of faces")
    chosen = parser.parse_args()
    if not (chosen.talking / "manifest.csv").is_file():
        parser.error(f"no manifest.csv in {chosen.talking}; give the folder with the clips by --talking")
    chosen.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        takes = load_takes(chosen.talking, chosen.part, Path(folder))
        print(f"{len(takes)} takes of {len({take.person for take in takes})} people")
        scenes = []
        for scene in Director(takes, rng).all(chosen.count):
            file = f"{len(scenes):03d}-{scene.kind}-{len(scene.faces)}.mkv"
            offset_ms = int(rng.integers(-MAX_OFFSET_MS, MAX_OFFSET_MS + 1))
            scenes.append(described(scene, file, offset_ms, write_scene(scene, chosen.out / file, offset_ms)))
    table = {"part": chosen.part, "seed": chosen.seed, "rate_hz": PICTURE_HZ, "scenes": scenes}
    (chosen.out / "truth.json").write_text(json.dumps(table, indent=1), encoding="utf-8")
    seconds = sum(len(scene["truth"]) for scene in scenes) / PICTURE_HZ
    print(f"{len(scenes)} scenes, {seconds / 60:.1f} minutes, in {chosen.out}")


if __name__ == "__main__":
    main()
