"""Talking faces made in code, with an audio-visual offset that is known exactly.

One set of articulation curves drives the lips and the voice, so time t in the picture is time t in the sound. Used by
the demo, by the tests of the whole product, and for a share of the training of the lip-sync network. numpy only.

::

    from clapboard.testing import make_clip, mouth_crops, render_scene

    truth = make_clip("talk.mp4", seed=3, offset_ms=300)      # its sound comes 300 ms early
    images, samples = mouth_crops(seed=3, duration_s=6.0)      # (150, 64, 64) uint8 and (96000,) float32, in sync
    scene = render_scene("panel.mp4", turns=[(0.2, 2.8, 0), (3.2, 5.8, 1)])   # two people; who speaks when is known
    clip = render_events(seed=3)                               # things that sound when they touch: `testing.events`
    clip = render_texture(seed=3)                              # things that sound while they move: `testing.textures`

The names are loaded when they are first used.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Articulation": "articulation",
    "Lips": "articulation",
    "speak": "articulation",
    "ClipTruth": "clips",
    "Talk": "clips",
    "TextureClip": "textures",
    "make_clip": "clips",
    "talking_arrays": "clips",
    "crop_mouths": "crops",
    "mouth_crops": "crops",
    "Actor": "face",
    "Event": "events",
    "EventClip": "events",
    "render": "face",
    "render_events": "events",
    "true_landmarks": "face",
    "Identity": "identity",
    "Speaker": "speaker",
    "SceneTruth": "stage",
    "Seat": "stage",
    "render_scene": "stage",
    "render_texture": "textures",
    "scene_arrays": "stage",
    "voice": "synthesis",
    "write_events": "events",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"clapboard.testing.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
