"""Controls: versions of clips in which nothing tells true sound from moved, so that whoever scores above half cheats.

- ``frozen-picture``: one frame stands for all; what is left is the sound alone.
- ``other-sound``: the sound of another recording, of which neither part belongs to the picture.
- ``shuffled-labels``: which of the two sounds is called the true one is a coin thrown once for each clip.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.training.anysound.clips import Pairs
from clapboard.training.anysound.scenes import Scene

Control = Literal["frozen-picture", "other-sound", "shuffled-labels"]
CONTROLS: tuple[Control, ...] = get_args(Control)


def control_scenes(name: Control, scenes: Sequence[Scene], seed: int = 0) -> list[Scene]:
    """Scenes of a control, to train on or to judge by; of ``shuffled-labels`` they are the scenes themselves.

    Raises
    ------
    UsageError : there is no such control, or no other recording's sound for each scene
    """
    if name == "frozen-picture":
        return [frozen_scene(scene) for scene in scenes]
    if name == "other-sound":
        return with_other_sound(scenes, seed)
    if name == "shuffled-labels":
        return list(scenes)
    raise UsageError(f"no control is called {name}; there are {', '.join(CONTROLS)}")


def control_pairs(name: Control, drawn: Pairs, scenes: Sequence[Scene], seed: int = 0) -> Pairs:
    """Pairs drawn from `control_scenes` as the control has them: only ``shuffled-labels`` still changes something.

    Parameters
    ----------
    scenes : those that the pairs were drawn from

    Raises
    ------
    UsageError : there is no such control
    """
    if name not in CONTROLS:
        raise UsageError(f"no control is called {name}; there are {', '.join(CONTROLS)}")
    if name != "shuffled-labels":
        return drawn
    return exchanged(drawn, coins([scenes[number].id for number in drawn.scene.tolist()], seed))


def frozen_scene(scene: Scene) -> Scene:
    """A scene of which only the middle frame is seen, again and again; it costs no memory."""
    middle = len(scene.images) // 2
    return replace(scene, images=np.broadcast_to(scene.images[middle : middle + 1], scene.images.shape))


def with_other_sound(scenes: Sequence[Scene], seed: int = 0) -> list[Scene]:
    """Each scene with the sound of another recording, as long after its picture's beginning as it was at home.

    Every sound is used once. Events and boxes stay those of the picture, the period is that of the sound.

    Raises
    ------
    UsageError : one recording has more than half of the scenes
    """
    rng = np.random.default_rng(seed)
    groups = sorted({scene.group for scene in scenes})
    place = dict(zip(groups, rng.permutation(len(groups)).tolist(), strict=True))
    order = sorted(rng.permutation(len(scenes)).tolist(), key=lambda n: place[scenes[n].group])
    largest = max(Counter(scene.group for scene in scenes).values(), default=0)
    if 2 * largest > len(scenes):
        raise UsageError(f"one recording has {largest} of {len(scenes)} scenes; give more recordings")
    found = list(scenes)
    # In the order of recordings, one step as long as the longest of them leaves every one of them.
    for own, giver in zip(order, order[largest:] + order[:largest], strict=True):
        sound = scenes[giver]
        found[own] = replace(
            scenes[own],
            bands=sound.bands,
            valid=sound.valid,
            first_row_s=sound.first_row_s - sound.begin_s + scenes[own].begin_s,
            period_s=sound.period_s,
        )
    return found


def coins(ids: Sequence[str], seed: int = 0) -> NDArray[np.bool_]:
    """A coin for each clip, (B,) bool: thrown once, so that a clip has the same one in every batch."""
    return np.array([np.random.default_rng([seed, *name.encode()]).random() < 0.5 for name in ids], np.bool_)


def exchanged(drawn: Pairs, which: NDArray[np.bool_]) -> Pairs:
    """Pairs whose two sounds are exchanged where ``which`` (B,) says so; all else stays, ``shift_s`` too."""
    where = which[:, None, None]
    return replace(
        drawn,
        rows_true=np.where(where, drawn.rows_shifted, drawn.rows_true),
        rows_shifted=np.where(where, drawn.rows_true, drawn.rows_shifted),
    )
