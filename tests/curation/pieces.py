"""Small clips with classes, made in code, and projects of them."""

import csv
from pathlib import Path

import numpy as np

from clapboard.curation.begin import begin, of_folders, open_project
from clapboard.curation.judging import QUESTIONS
from clapboard.curation.project import Project
from clapboard.curation.votes import COLUMNS, take_votes
from clapboard.media.encode import write_clip

BEEP_S = 0.08


def chirp(time_s: np.ndarray) -> np.ndarray:
    """A rising tone of 80 ms by time from its start: it fits only one place."""
    inside = (time_s >= 0) & (time_s < BEEP_S)
    return np.where(inside, np.sin(2 * np.pi * (500 * time_s + 2000 / BEEP_S / 2 * time_s**2)), 0.0)


def write_flashes(path: Path, seconds: float = 6.0, *, at_s: float = 1.0, every_s: float = 2.0) -> Path:
    """A clip at 25 Hz with a white picture and a beep together, the first at a time, then again and again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rate_hz, count = 16_000, round(seconds * 25)
    times_s = np.arange(at_s, seconds, every_s)
    white = {round(time_s * 25) for time_s in times_s}
    images = [np.full((48, 64), 235 if number in white else 16, np.uint8) for number in range(count)]
    clock = np.arange(round(seconds * rate_hz)) / rate_hz
    sound = sum((0.5 * chirp(clock - time_s) for time_s in times_s), np.zeros(len(clock)))
    write_clip(path, images, 25, sound.astype(np.float32), rate_hz)
    return path


def small_project(folder: Path, seconds: dict[str, float], **settings: float) -> Project:
    """A project of clips ``CLASS/NAME`` with their lengths, s; pictures are as small as they may be."""
    for name, length_s in seconds.items():
        path = folder / "clips" / f"{name}.mkv"
        path.parent.mkdir(parents=True, exist_ok=True)
        count = round(length_s * 25)
        write_clip(path, [np.zeros((16, 16), np.uint8)] * count, 25, np.zeros(round(length_s * 8000), np.float32), 8000)
    project = open_project(folder / "project", **settings)  # type: ignore[arg-type]
    begin(project, of_folders([folder / "clips"]))
    return project


def names_of(project: Project) -> dict[str, int]:
    """Numbers of segments by their names."""
    with project.reading() as db:
        return dict(db.execute("SELECT name, id FROM segments ORDER BY id").fetchall())


def everybody_says(project: Project, truth: dict[str, tuple[bool, bool]], voters: tuple[str, ...]) -> None:
    """Let voters say of every segment what is true of it: seen, heard."""
    table = project.folder / "said.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for name, said in truth.items():
            for question, answer in zip(QUESTIONS, said, strict=True):
                rows.writerows((name, question, voter, "yes" if answer else "no") for voter in voters)
    take_votes(project, table)
