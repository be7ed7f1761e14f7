"""What a command writes beside its answer: one file for one video, a file each in a folder for several."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clapboard.errors import MediaError, UsageError


@dataclass(frozen=True, slots=True)
class Output:
    """One thing that is written for each file.

    Attributes
    ----------
    option : by which it is asked for
    out : what was given there: a file, or a folder
    endings : that a file of this kind may have; the first is appended to the names of videos. Empty where everything
        goes into one folder, under names that begin with what ``stem`` makes of a video
    stem : gives that; the name of the video without its ending
    folder : whether ``out`` is one for a single file too, though it is not there yet
    """

    option: str
    out: Path
    endings: tuple[str, ...] = ()
    stem: Callable[[Path], str] = lambda path: path.stem
    folder: bool = False

    def targets(self, files: Sequence[Path]) -> list[Path]:
        """Return what is written for each file; a folder that is asked for is made.

        Raises
        ------
        UsageError : what was given cannot hold as many
        MediaError : the folder cannot be made
        """
        if not self.endings:
            if self.out.exists() and not self.out.is_dir():
                raise UsageError(f"{self.out}: is a file; give a folder to {self.option}")
            return [self.out] * len(files)
        named = not self.folder and self.out.suffix.lower() in self.endings
        if len(files) == 1 and not self.folder and not self.out.is_dir():
            if not named:
                names = " or ".join(self.endings)
                raise UsageError(
                    f"{self.out}: is neither a folder nor a name that ends in {names}; give one to {self.option}"
                )
            return [self.out]
        if named and not self.out.exists():
            raise UsageError(f"{self.out}: one file cannot hold what {len(files)} give; give a folder to {self.option}")
        if self.out.exists() and not self.out.is_dir():
            raise UsageError(f"{self.out}: is a file, but there are {len(files)} to write; give a folder")
        try:
            self.out.mkdir(exist_ok=True)
        except OSError as error:
            raise MediaError(f"{self.out}: the folder cannot be made ({error.strerror}); give another") from error
        return [self.out / f"{path.name}{self.endings[0]}" for path in files]

    def require_apart(self, files: Sequence[Path]) -> None:
        """Refuse files whose outputs would have one name.

        Raises
        ------
        UsageError : as said
        """
        names = [path.name if self.endings else self.stem(path) for path in files]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise UsageError(f"{self.out}: {twice[0]} would be written twice; give files of one name apart")


def ids_of(files: Sequence[Path]) -> list[str]:
    """Return what each file is called within tables: its name without the ending; where two are alike, all of it."""
    ids = [path.stem for path in files]
    while True:
        plain = Counter("_".join(name.split()) for name in ids)  # as RTTM has them
        alike = [at for at, name in enumerate(ids) if plain["_".join(name.split())] > 1 and name != files[at].name]
        if not alike:
            return ids
        for at in alike:
            ids[at] = files[at].name


def targets_of(outputs: Sequence[Output], files: Sequence[Path]) -> list[dict[str, Path]]:
    """Return for each file what is written for it, by option.

    Raises
    ------
    UsageError : one of them would be written twice, or is an input, or cannot hold as many
    MediaError : a folder cannot be made
    """
    for output in outputs:  # all of them before the first folder is made
        output.require_apart(files)
    named = {output.option: output.targets(files) for output in outputs}
    inputs, seen = {path.resolve() for path in files}, dict[Path, str]()
    for option, targets in named.items():
        for target in dict.fromkeys(targets):
            place = target.resolve()
            if place in inputs:
                raise UsageError(f"{target}: is an input, which is never overwritten; give another {option}")
            if place in seen:
                raise UsageError(f"{target}: is given to {seen[place]} and to {option}; give them different names")
            seen[place] = option
    return [{option: targets[at] for option, targets in named.items()} for at in range(len(files))]
