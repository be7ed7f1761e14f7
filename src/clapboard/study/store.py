"""The folder of a study: its database, and one file for each clip and source."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clapboard.serving.database import Database

DATABASE = "study.sqlite"
CLIPS = "clips"
ORIGINAL = "original"
"""Name of the source that is true; no variant may have it."""
REAL, PAIR = 1, 2
"""The two games: which sound is the original, and which of two variants is better."""
IS_ORIGINAL = "original"
"""The one question of the first game."""
QUESTIONS = {
    "correctness": "Which sound fits better what is seen?",
    "noise": "Which sound is cleaner, with less noise?",
    "timing": "Which sound is better in time with the picture?",
}
"""Those of the second game."""
NEITHER = "neither"
SIDES = ("left", "right")

SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE clip (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, duration_s REAL NOT NULL);
CREATE TABLE file (
  clip INTEGER NOT NULL REFERENCES clip, source INTEGER NOT NULL REFERENCES source, name TEXT NOT NULL UNIQUE,
  PRIMARY KEY (clip, source));
CREATE TABLE participant (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, number INTEGER NOT NULL UNIQUE,
  seed INTEGER NOT NULL, came_at TEXT NOT NULL);
CREATE TABLE round (
  id INTEGER PRIMARY KEY, participant INTEGER NOT NULL REFERENCES participant,
  game INTEGER NOT NULL CHECK (game IN (1, 2)), place INTEGER NOT NULL, clip INTEGER NOT NULL REFERENCES clip,
  left_source INTEGER NOT NULL REFERENCES source, right_source INTEGER NOT NULL REFERENCES source,
  left_token TEXT NOT NULL UNIQUE, right_token TEXT NOT NULL UNIQUE, questions TEXT NOT NULL,
  left_plays INTEGER NOT NULL DEFAULT 0, right_plays INTEGER NOT NULL DEFAULT 0,
  unplayable INTEGER NOT NULL DEFAULT 0, over INTEGER NOT NULL DEFAULT 0,
  UNIQUE (participant, game, place), CHECK (left_source <> right_source));
CREATE TABLE answer (
  id INTEGER PRIMARY KEY, round INTEGER NOT NULL REFERENCES round, question TEXT NOT NULL,
  chosen TEXT NOT NULL CHECK (chosen IN ('left', 'right', 'neither')),
  answered_at TEXT NOT NULL, after_ms INTEGER NOT NULL,
  left_plays INTEGER NOT NULL CHECK (left_plays > 0), right_plays INTEGER NOT NULL CHECK (right_plays > 0),
  UNIQUE (round, question));
CREATE INDEX round_of_participant ON round (participant, over, game, place)
"""
"""``source`` 0 is the original. ``round.questions`` are in the order in which they are asked, with commas; ``over`` is
set when all are answered or the round cannot be played. ``answer.after_ms`` is by a clock of the browser that nobody
sets."""


@dataclass(frozen=True, slots=True)
class Study:
    """One study by its folder."""

    folder: Path

    @property
    def database(self) -> Database:
        """Where clips, participants and answers are."""
        return Database(self.folder / DATABASE, "study", "CLst", 1, SCHEMA)

    @property
    def clips(self) -> Path:
        """The folder with the files."""
        return self.folder / CLIPS

    def about(self) -> dict[str, Any]:
        """What was said when the study began.

        Raises
        ------
        MediaError : it is no study
        """
        with self.database.read() as db:
            return {row["key"]: json.loads(row["value"]) for row in db.execute("SELECT key, value FROM about")}
