"""What voters are shown: the picture of a segment without a stream of sound, and its sound without a picture.

They are made when they are asked for, kept in ``PROJECT/previews`` while their question is open, and removed after.
"""

import threading
from contextlib import suppress
from pathlib import Path

from clapboard.curation.judging import Question
from clapboard.curation.project import Piece, Project
from clapboard.errors import MediaError, NoAudioError, NoVideoError
from clapboard.files import candidate_beside, put_in_place
from clapboard.media.cut import cut, cut_sound
from clapboard.media.probe import probe

FOLDER = "previews"
LONG_SIDE_PX = 640
"""Larger pictures are shrunk: it is asked what is seen, not how well."""
ENDINGS: dict[Question, str] = {"seen": ".mp4", "heard": ".wav"}
TYPES: dict[Question, str] = {"seen": "video/mp4", "heard": "audio/wav"}


class BrokenSegmentError(MediaError):
    """A segment cannot be shown to anybody; it has been noted as broken."""


class UnreadableSourceError(MediaError):
    """The file of a segment is gone or another one by now; it may come back."""


class Previews:
    """Makes previews, each once, for any number of threads."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.folder / FOLDER
        self._making: dict[Path, threading.Lock] = {}
        self._guard = threading.Lock()

    def of(self, segment: int, question: Question) -> Path | None:
        """The file of a segment's picture or sound; None where there is no segment of this number.

        Raises
        ------
        BrokenSegmentError : it cannot be decoded; nobody will be asked about it any more
        UnreadableSourceError : the file is gone, or has changed
        MediaError : the preview cannot be written
        """
        piece = self.project.piece(segment)
        if piece is None:
            return None
        if piece.broken is not None:
            raise BrokenSegmentError(f"{piece.name}: {piece.broken}")
        target = self.folder / f"{segment}{ENDINGS[question]}"
        with self._guard:
            making = self._making.setdefault(target, threading.Lock())
        with making:
            if not target.is_file():
                try:
                    piece.require_same()
                except MediaError as error:
                    raise UnreadableSourceError(str(error)) from None
                try:
                    self.folder.mkdir(exist_ok=True)
                except OSError as error:
                    raise MediaError(f"{self.folder}: cannot be made ({error.strerror})") from None
                self._make(piece, question, target)
        return target

    def drop(self, segment: int, question: Question) -> None:
        """Remove a preview that nobody needs any more; it can be made again."""
        target = self.folder / f"{segment}{ENDINGS[question]}"
        with suppress(OSError):
            target.unlink(missing_ok=True)
        with self._guard:
            self._making.pop(target, None)

    def drop_closed(self) -> None:
        """Remove what an earlier server has left of questions that have all their votes."""
        with self.project.reading() as db:
            closed = {tuple(row) for row in db.execute("SELECT segment, question FROM questions WHERE open = 0")}
        by_ending = {ending: question for question, ending in ENDINGS.items()}
        for path in self.folder.glob("*"):
            question = by_ending.get(path.suffix)
            if path.stem.isdecimal() and question is not None and (int(path.stem), question) in closed:
                self.drop(int(path.stem), question)

    def _make(self, piece: Piece, question: Question, target: Path) -> None:
        """Make one."""
        times_s = (piece.start_ms / 1000, piece.end_ms / 1000)
        try:
            clip = probe(piece.path)
            if question == "seen":
                cut(clip, target, *times_s, sound=False, long_side_px=LONG_SIDE_PX, overwrite=True)
                return
            with candidate_beside(target) as candidate:
                try:
                    with candidate.open("wb") as file:
                        cut_sound(clip, file, *times_s)
                except OSError as error:
                    raise MediaError(f"{target}: cannot be written ({error.strerror}); make room") from None
                put_in_place(candidate, target, overwrite=True)
        except MediaError as error:
            # Only what is wrong with the source counts against it, not a disk that is full.
            about_source = isinstance(error, NoVideoError | NoAudioError) or str(error).startswith(f"{piece.path}:")
            if not about_source or not piece.path.is_file():
                raise
            why = str(error).removeprefix(f"{piece.path}: ")
            self.project.mark_broken(piece.id, why)
            raise BrokenSegmentError(f"{piece.name}: {why}") from error
