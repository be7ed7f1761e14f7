"""What ``clapboard check --report`` writes: a page for one file, or a folder with a page for each of several."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clapboard.cli.common import code_of
from clapboard.cli.outputs import Output, targets_of
from clapboard.cli.progress import Hook
from clapboard.cli.speakers_outputs import stays

if TYPE_CHECKING:
    from clapboard.values import Report

OPTION = "--report"
_ENDINGS = (".html", ".htm")
ReportOption = Annotated[
    str | None,
    typer.Option(OPTION, metavar="OUT", help="Write what was found as a page to look at: NAME.html, or a folder."),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace pages that exist.")]


class Pages:
    """The pages of one call: where each goes, and which are finished.

    Parameters
    ----------
    out : what was given to ``--report``, None where no pages are wanted; a slash at the end says that it is a folder
    files : all that are measured
    overwrite : replace pages that exist

    Raises
    ------
    UsageError : a page would be an input or be written twice, or one name is given for several
    MediaError : the folder cannot be made
    """

    def __init__(self, out: str | None, files: Sequence[Path], overwrite: bool) -> None:
        outputs = [] if out is None else [Output(OPTION, Path(out), _ENDINGS, folder=out.endswith(("/", os.sep)))]
        targets = targets_of(outputs, files)
        self._targets = {path: of[OPTION] for path, of in zip(files, targets, strict=True) if of}
        self._overwrite = overwrite
        self._kept: list[Path] = []

    def require(self, path: Path) -> None:
        """See that the page of a file can be written, before anybody waits for what could not be kept.

        Raises
        ------
        UsageError, MediaError : it cannot
        """
        if path in self._targets:
            from clapboard.files import require_writable
            from clapboard.media.source import require_file

            require_file(path)
            require_writable(self._targets[path], path, self._overwrite, OPTION)

    def write(self, report: "Report", path: Path, *, hook: Hook | None, threads: int) -> tuple[int, str, str]:
        """Write the page of a file; return an exit code, a line for stdout, and one for stderr, empty where none is.

        A file that could not be measured has no page.
        """
        if path not in self._targets or report.error:
            return 0, "", ""
        target = self._targets[path]
        try:
            from clapboard.footage import write_page

            write_page(report, target, overwrite=self._overwrite, hook=hook, threads=threads)
        except Exception as error:
            code, problem = code_of(error, path)
            return code, "", problem
        self._kept.append(target)
        return 0, f"{target}: written", ""

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Let an interruption of the body tell which pages stay."""
        try:
            yield
        except KeyboardInterrupt as stop:
            if self._kept:
                stop.add_note(stays(self._kept))
            raise
