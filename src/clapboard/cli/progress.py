"""Progress of long work: a bar with the time left on a terminal, a line now and then elsewhere.

Short work shows neither, and whatever happens to stderr, the work goes on. CLAPBOARD_PROGRESS=0 turns both off.
"""

import contextlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol, TextIO, cast

from clapboard.report.printable import shown

Hook = Callable[[str, float, float | None], None]  # that of values.py, which loads numpy: help does without it
"""Called as ``hook(step, done, total)``; a total of None means that nobody knows it."""
Clock = Callable[[], float]

BAR_AFTER_S: Final = 1.0
"""Work that is shorter than this shows no bar (s)."""
LINE_AFTER_S: Final = 5.0
"""Work that is shorter than this prints no line (s)."""
LINE_EVERY_S: Final = 10.0
"""Where there is no terminal, progress is a line in so many seconds, and never more."""
VARIABLE: Final = "CLAPBOARD_PROGRESS"


@dataclass(frozen=True, slots=True)
class State:
    """What there is to say: at what, how far the step is (0 to 1, None where nobody knows), and the whole, 0 to 1.

    ``left_s`` is the time left of the whole, None while nobody can tell.
    """

    name: str
    step: str
    of_step: float | None
    of_all: float | None
    left_s: float | None


class Way(Protocol):
    """One way to show progress."""

    def show(self, state: State) -> None:
        """Show this, if it is time."""

    def hide(self) -> None:
        """Take back what stands on the screen."""


class Progress:
    """Progress over one piece of work or several, such as files.

    ::

        progress = of_files(files, wanted=not quiet)
        for path in files:
            with progress.piece(path.name) as hook:
                check(path, hook=hook)

    Parameters
    ----------
    sizes : of the pieces, in any unit: the time left of several is reckoned by them
    wanted : False shows nothing
    clock : gives seconds

    The time left of one piece is that of its step; of several, that of all.
    """

    def __init__(self, sizes: Sequence[float] = (1.0,), *, wanted: bool = True, clock: Clock = time.monotonic) -> None:
        known = sum(sizes) > 0
        self._sizes = [float(size) if known else 1.0 for size in sizes]
        self._total, self._done = sum(self._sizes), 0.0
        self._clock, self._begun_s, self._index = clock, clock(), 0
        self._way = _way(clock) if wanted else None

    @contextlib.contextmanager
    def piece(self, name: str | Callable[[], str]) -> Iterator[Hook | None]:
        """Yield the hook for the next piece of work; None where nothing is to be shown.

        ``name`` is asked for each time where it changes with the work.
        """
        way = self._way
        if way is None:
            yield None
            return
        several = len(self._sizes) > 1
        number = f"{self._index + 1}/{len(self._sizes)} " if several else ""
        at = _Piece(lambda: shown(number + (name if isinstance(name, str) else name())), self._clock())

        def hook(step: str, done: float, total: float | None) -> None:
            at.tell(step, done, total, self._clock())
            way.show(self._whole(at) if several else at.state(self._clock()))

        try:
            yield hook
        finally:
            way.hide()
            self._done += self._size()
            self._index += 1

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Keep the bar out of the way of what the body prints."""
        if self._way is not None:
            self._way.hide()
        yield

    def _size(self) -> float:
        """Size of the piece at work; those that nobody announced count nothing."""
        return self._sizes[self._index] if self._index < len(self._sizes) else 0.0

    def _whole(self, at: "_Piece") -> State:
        """How far all pieces are, the one at work included."""
        of_all = (self._done + self._size() * at.most) / self._total
        left_s = _left(self._clock() - self._begun_s, of_all)
        return State(at.name(), at.step, at.of_step, min(of_all, 1.0), left_s)


class _Piece:
    """How far one piece is: its step, and the most that any step has reached."""

    def __init__(self, name: Callable[[], str], now_s: float) -> None:
        self.name, self.step, self.most = name, "", 0.0
        self.of_step: float | None = None
        self._step_s = now_s

    def tell(self, step: str, done: float, total: float | None, now_s: float) -> None:
        """Take in what a hook is told."""
        if step != self.step:
            self.step, self._step_s = step, now_s if self.step else self._step_s
        self.of_step = min(max(done / total, 0.0), 1.0) if total and total > 0 else None
        self.most = max(self.most, self.of_step or 0.0)

    def state(self, now_s: float) -> State:
        """What there is to say of this piece alone."""
        left_s = None if self.of_step is None else _left(now_s - self._step_s, self.of_step)
        return State(self.name(), self.step, self.of_step, self.of_step, left_s)


def of_files(paths: Sequence[Path], *, wanted: bool, clock: Clock = time.monotonic) -> Progress:
    """Progress over files, reckoned by their size; what is not there counts nothing."""

    def size(path: Path) -> int:
        try:
            return path.stat().st_size
        except (OSError, ValueError):  # a name that no system could hold is told by whoever opens it
            return 0

    return Progress([size(path) for path in paths], wanted=wanted, clock=clock)


def _left(elapsed_s: float, share: float) -> float | None:
    """Time that is left when a share is done, s."""
    return elapsed_s * (1 - share) / share if share > 0 else None


def in_words(seconds: float) -> str:
    """Return a length of time: ``12 s``, ``3 min 20 s``, ``2 h 05 min``."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def line(state: State) -> str:
    """Return the line of a state: ``talk.mp4: read 35 %, 12 s left``."""
    far = "" if state.of_step is None else f" {100 * state.of_step:.0f} %"
    left = "" if state.left_s is None else f", {in_words(state.left_s)} left"
    return f"{state.name}: {shown(state.step)}{far}{left}"


def _way(clock: Clock) -> Way | None:
    """How progress is shown here: a bar, lines, or nothing."""
    if sys.stderr is None or os.environ.get(VARIABLE) == "0":
        return None
    try:
        terminal = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    except ValueError:  # closed
        return None
    stream = Lenient(sys.stderr)
    return Bar(stream, clock) if terminal else Lines(stream, clock)


class Lenient(io.TextIOBase):
    """A stream that drops what the one behind it cannot take any more."""

    def __init__(self, behind: TextIO) -> None:
        self._behind = behind

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base is writable
        """That of the stream behind."""
        return self._behind.encoding or "utf-8"

    def isatty(self) -> bool:
        """Whether a terminal is behind."""
        return self._behind.isatty()

    def fileno(self) -> int:
        """Descriptor of the stream behind, by which old Windows consoles are known."""
        return self._behind.fileno()

    def write(self, text: str, /) -> int:
        """Write, if it can be done."""
        with contextlib.suppress(OSError, ValueError):
            self._behind.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if it can be done."""
        with contextlib.suppress(OSError, ValueError):
            self._behind.flush()


class Lines:
    """A line when the work has lasted, and then not too often."""

    def __init__(self, stream: Lenient, clock: Clock) -> None:
        self._stream, self._clock, self._next_s = stream, clock, clock() + LINE_AFTER_S

    def show(self, state: State) -> None:
        """Print a line, if it is time."""
        now_s = self._clock()
        if now_s >= self._next_s:
            self._next_s = now_s + LINE_EVERY_S
            self._stream.write(f"{line(state)}\n")
            self._stream.flush()

    def hide(self) -> None:
        """What is printed stays."""


class Bar:
    """A bar that appears when the work has lasted, and leaves no trace."""

    def __init__(self, stream: Lenient, clock: Clock) -> None:
        self._stream, self._clock, self._begun_s = stream, clock, clock()
        self._bar: Any = None
        self._task: Any = None

    def show(self, state: State) -> None:
        """Move the bar."""
        if self._clock() - self._begun_s < BAR_AFTER_S:
            return
        said = {
            "description": f"{state.name}: {shown(state.step)}",
            "completed": state.of_all or 0.0,
            "total": None if state.of_all is None else 1.0,
            "left": "" if state.left_s is None else f"{in_words(state.left_s)} left",
        }
        if self._bar is None:
            self._bar = self._made()
            self._task = self._bar.add_task(**said)
            self._bar.start()
        else:
            self._bar.update(self._task, **said)

    def hide(self) -> None:
        """Take the bar away; what comes next draws it anew."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _made(self) -> Any:
        """A bar of rich."""
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[left]}", markup=False),
        )
        console = Console(file=cast(IO[str], self._stream), markup=False)
        return RichProgress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
