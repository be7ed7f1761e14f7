"""The ruler of docs/zero.md on mouths and voices made in code, where the truth is known to the millisecond."""

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from clapboard.testing import Articulation, Speaker, crop_mouths, speak, voice
from clapboard.testing.articulation import LEAD_S

RATE_HZ = 16_000
SECONDS = 9.0
SEEDS = (3, 11, 17, 25, 31, 40)


def _load() -> ModuleType:
    """The script, which is no part of the package."""
    path = Path(__file__).parents[1] / "benchmarks" / "zero.py"
    spec = importlib.util.spec_from_file_location("benchmark_zero", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


zero = _load()


@dataclass(frozen=True, eq=False)
class Talk:
    """What one made-up person says: the curves, the voice from time 0 on, and the closures found in it."""

    curves: Articulation
    speaker: Speaker
    closures: np.ndarray

    @cache  # noqa: B019 the talks live as long as the module
    def lip(self, phase_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Times of 25 pictures a second, the first one at ``phase_s``, and the lower lip in them."""
        times_s = phase_s + np.arange(round(25 * (SECONDS - 0.1))) / 25
        return times_s, zero.lower_lip(crop_mouths(self.curves, self.speaker, times_s))


@pytest.fixture(scope="module")
def talks() -> list[Talk]:
    """Six people."""
    made = []
    for seed in SEEDS:
        speaker = Speaker.from_seed(seed)
        curves = speak(seed, SECONDS, speaker=speaker)
        samples = voice(curves, speaker)[round(LEAD_S * RATE_HZ) :][: round(SECONDS * RATE_HZ)]
        made.append(Talk(curves, speaker, zero.sound_closures(samples.astype(np.float64))))
    return made


def test_closures_of_the_sound_are_those_of_the_lips(talks: list[Talk]) -> None:
    """Fall and rise are right to 5 ms in the middle; without that the zero would move with the detector."""
    falls, rises = list[float](), list[float]()
    for talk in talks:
        shut = [sound for sound in talk.curves.sounds if sound.phone.shut]
        for fall_s, rise_s, _ in talk.closures:
            for sound in shut:
                if abs(sound.end_s - rise_s) < 0.02 and abs(sound.start_s - fall_s) < 0.03:
                    falls.append(1000 * (fall_s - sound.start_s))
                    rises.append(1000 * (rise_s - sound.end_s))
    assert len(falls) >= 20
    assert abs(np.median(falls)) < 5
    assert abs(np.median(rises)) < 5


@pytest.mark.parametrize("mute", [True, False])
def test_a_closure_with_a_voice_in_it_is_told_from_a_mute_one(mute: bool) -> None:
    """A /p/ is silent while the lips are shut, an /m/ hums on; both are shut off in the middle of the spectrum."""
    rng = np.random.default_rng(0)
    time_s = np.arange(RATE_HZ) / RATE_HZ
    voiced = sum(np.sin(2 * np.pi * 120 * k * time_s) / k for k in range(1, 40))
    out = np.clip((0.45 - time_s) / 0.004, 0, 1) + np.clip((time_s - 0.53) / 0.02, 0, 1)
    sound = 0.1 * voiced * out + 1e-4 * rng.normal(size=RATE_HZ)
    if not mute:
        sound += 0.08 * np.sin(2 * np.pi * 120 * time_s) * (1 - out)
    (found,) = zero.sound_closures(sound)
    assert bool(found[2]) is mute
    assert found[0] == pytest.approx(0.45, abs=0.008)
    assert found[1] == pytest.approx(0.53, abs=0.012)


def test_the_lower_lip_follows_the_opening(talks: list[Talk]) -> None:
    """The measure of the picture rises with the true opening, whoever it is, and however the crop drifts."""
    likeness = []
    for talk in talks:
        times_s, lip = talk.lip(0.0)
        likeness.append(np.corrcoef(lip, talk.curves.at(times_s).opening)[0, 1])
    assert sorted(likeness)[1] > 0.7  # one beard in six may defeat it: the densest place does not mind
    assert np.median(likeness) > 0.9


@pytest.mark.parametrize("delay_ms", [-90, 0, 60])
@pytest.mark.parametrize("phase_s", [0.0, 0.013, 0.031])
def test_the_delay_of_a_closure_is_read_between_the_frames(delay_ms: int, phase_s: float) -> None:
    """A lip that falls and rises steadily, seen 25 times a second: the delay is right to a few ms at any phase."""
    time_s = phase_s + np.arange(50) / 25
    opening = np.minimum(np.abs(time_s - 1.0) * 40, 5.0)  # meets at the height 2, 0.05 s before and after 1 s
    sound = np.array([[0.95, 1.05, 1.0]]) + np.array([delay_ms, delay_ms, 0]) / 1000
    (found,) = zero.delays(opening, time_s, sound, delay_ms / 1000 + 0.02)
    assert found.delay_ms == pytest.approx(delay_ms, abs=2)
    assert found.mute
    # a sound that falls early and rises late by the same amount says the same
    (wider,) = zero.delays(opening, time_s, sound + np.array([[-0.012, 0.012, 0]]), delay_ms / 1000 + 0.02)
    assert wider.delay_ms == pytest.approx(delay_ms, abs=2)


def test_lips_that_stay_open_are_no_closure() -> None:
    """A /t/ shuts the sound off while the lips only come nearer: it must not count."""
    time_s = np.arange(150) / 25
    opening = np.full(150, 5.0)
    for middle_s, least in ((1.0, 0.0), (2.0, 0.0), (3.0, 3.0), (4.0, 0.0), (5.0, 0.0)):
        opening = np.minimum(opening, least + np.abs(time_s - middle_s) * 40)
    closures = np.array([[middle_s - 0.05, middle_s + 0.05, 0.0] for middle_s in (1, 2, 3, 4)])
    assert [found.rise_s for found in zero.delays(opening, time_s, closures, 0.0)] == [1.05, 2.05, 4.05]


def _clips(talks: list[Talk], early_ms: Sequence[float], phase_s: float) -> list[Any]:
    """Rendered mouths as the script sees them, the sound of each early by its own amount."""
    clips = []
    for talk, early in zip(talks, early_ms, strict=True):
        times_s, lip = talk.lip(phase_s)
        moved = talk.closures - np.array([early, early, 0]) / 1000
        name = str(talk.speaker.seed)
        clips.append(zero.Seen(name, "rendered", name, early, early, {"lower lip": lip}, times_s, moved, (0.0, 1.0)))
    return clips


def test_the_bias_of_the_method_is_small_whatever_the_shift_and_the_phase(talks: list[Talk]) -> None:
    """What the method says of rendered clips is true of them to a few ms: what docs/zero.md rests on."""
    rng = np.random.default_rng(0)
    said = []
    for phase_s in (0.0, 0.013, 0.027):
        result = zero.exact(_clips(talks, rng.uniform(-120, 120, len(talks)), phase_s), lambda c: c.reference_ms)
        assert result.closures >= 15
        assert result.low_ms <= result.exact_ms <= result.high_ms
        said.append(result.exact_ms)
    assert np.abs(said).max() < 8


def test_a_wrong_reading_moves_the_answer_by_itself(talks: list[Talk]) -> None:
    """If check read every clip 60 ms too high, an exact recording would read 60: the sign and the size."""
    clips = _clips(talks, [35.0] * len(talks), 0.0)
    right = zero.exact(clips, lambda clip: clip.reading_ms)
    high = zero.exact(clips, lambda clip: clip.reading_ms + 60)
    assert high.exact_ms - right.exact_ms == pytest.approx(60, abs=2)
    assert high.as_is_ms == pytest.approx(right.as_is_ms, abs=2)  # what is true of the files stays
    assert right.as_is_ms == pytest.approx(35, abs=8)
    as_it_is = zero.exact(clips, lambda _: 0.0)
    assert as_it_is.exact_ms - right.exact_ms == pytest.approx(-35, abs=2)  # 35 ms early: heard before the lips part


def test_the_densest_place_is_not_moved_by_strangers() -> None:
    """Closures of other sounds lie anywhere; they must not pull the answer as they would pull a mean."""
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(60, 12, 300), np.full(60, 130.0)])
    assert zero.densest(values) == pytest.approx(60, abs=3)
    assert np.mean(values) > 70


def test_the_grammar_of_grid_names_its_closures() -> None:
    """``pbay1p``: blue near the start and please near the end, but no /b p m/ at the letter y."""
    clip = zero.Seen("train/GRID/s1__pbay1p.mkv", "GRID", "s1", 0.0, 0.0, {}, np.zeros(0), np.zeros((0, 3)), (0.5, 2.5))
    inside = {part: zero.in_grammar(clip, 0.5 + 2 * part) for part in (0.2, 0.4, 0.5, 0.8, 0.95)}
    assert inside == {0.2: True, 0.4: False, 0.5: False, 0.8: True, 0.95: False}
