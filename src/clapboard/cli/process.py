"""The process around a command: streams that somebody closed, and signals that end it."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final, NoReturn

_ENDING: Final = ("SIGTERM", "SIGHUP")
"""Signals that end a process without a word, so that what it was writing would stay; Windows has not all of them."""


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end; it unwinds as for Ctrl-C. ``number`` is that of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def fill_closed_streams() -> None:
    """Point closed standard streams at nothing.

    Else the next file that is opened gets their number, and what a library prints to stderr lands in that file.
    """
    if sys.stdin is not None and sys.stdout is not None and sys.stderr is not None:
        return
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - stays open as long as the process
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def end_at_once(code: int) -> NoReturn:
    """End the process when all is cleaned up, without what libraries do when the interpreter ends."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


@contextlib.contextmanager
def signals_unwind() -> Iterator[None]:
    """Let signals that end the process raise `Stopped` in the body, so that it can clean up; only the first one counts.

    A signal that somebody ignores, as under ``nohup``, or handles already is left alone.
    """
    numbers = [int(getattr(signal, name)) for name in _ENDING if hasattr(signal, name)]
    here = threading.current_thread() is threading.main_thread()  # nobody else may set handlers
    taken = [number for number in numbers if here and signal.getsignal(number) is signal.SIG_DFL]

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for other in taken:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
