"""The exceptions of Clapboard. Every message is one line: what was wrong, and what to do.

::

    ClapboardError            exit code
    |-- UsageError                2     an argument makes no sense
    |-- MediaError                4     the file cannot be read or written
    |   |-- NoVideoError          4
    |   `-- NoAudioError          4
    |-- UndecidedError            3     the offset is not trusted, so nothing is done with it
    `-- MissingExtraError         5     an optional package is not installed
        `-- ModelError            5     the weights are missing or not those expected
"""

from typing import ClassVar

EXIT_IN_SYNC = 0
EXIT_OUT_OF_SYNC = 1
EXIT_USAGE = 2
EXIT_UNDECIDED = 3
EXIT_MEDIA = 4
EXIT_MISSING = 5


class ClapboardError(Exception):
    """Base of all errors raised on purpose."""

    exit_code: ClassVar[int] = EXIT_MEDIA


class UsageError(ClapboardError, ValueError):
    """An argument makes no sense."""

    exit_code = EXIT_USAGE


class MediaError(ClapboardError):
    """The file cannot be read or written."""

    exit_code = EXIT_MEDIA


class NoVideoError(MediaError):
    """The file has no picture to measure."""


class NoAudioError(MediaError):
    """The file has no sound to measure."""


class UndecidedError(ClapboardError):
    """The offset is not trusted, so nothing is done with it."""

    exit_code = EXIT_UNDECIDED


class MissingExtraError(ClapboardError):
    """An optional package is not installed."""

    exit_code = EXIT_MISSING


class ModelError(MissingExtraError):
    """The weights of a model are missing, or not those expected."""
