"""Studies for tests: one without media, for all that is asked and answered, and files for one with media."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from clapboard.study.store import Study
from clapboard.testing.events import render_events, write_events

SECONDS = 1.0


def without_media(folder: Path, clips: int = 3, variants: int = 2, most: int | None = None) -> Study:
    """Return a study whose files are empty."""
    folder.mkdir()
    study = Study(folder)
    study.clips.mkdir()
    study.database.create()
    with study.database.write() as db:
        about = {"seed": 0, "most": "null" if most is None else most}
        db.executemany("INSERT INTO about VALUES (?, ?)", [(key, str(value)) for key, value in about.items()])
        db.executemany(
            "INSERT INTO source VALUES (?, ?)", [(n, f"v{n}" if n else "original") for n in range(variants + 1)]
        )
        for clip in range(clips):
            db.execute("INSERT INTO clip VALUES (?, ?, 1.0)", (clip, f"clip {clip}"))
            for source in range(variants + 1):
                name = f"{clip}-{source}.mp4"
                (study.clips / name).touch()
                db.execute("INSERT INTO file VALUES (?, ?, ?)", (clip, source, name))
    return study


def write_folders(folder: Path, clips: int = 2, variants: tuple[str, ...] = ("noisy", "late"), px: int = 64) -> None:
    """Write the folders ``real`` and one for each variant, with the same pictures and other sounds."""
    for seed in range(clips):
        clip = render_events(seed, seconds=SECONDS, px=px, dry=True)
        noise = np.random.default_rng(seed).normal(0, 0.05, clip.around.shape).astype(np.float32)
        sounds = {"real": clip.around, "noisy": clip.around + noise, "late": np.roll(clip.around, 1600)}
        for name in ("real", *variants):
            (folder / name).mkdir(exist_ok=True)
            write_events(replace(clip, around=sounds[name]), folder / name / f"clip-{seed}.mp4")
