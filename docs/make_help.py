"""Write ``docs/help.md`` from the program itself; ``tests/cli/test_help_page.py`` holds it true."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from clapboard.cli.app import app

PAGE = Path(__file__).with_name("help.md")
INTRODUCTION = "# The commands\n\nWritten by `python docs/make_help.py` from what the program says of itself.\n"


def commands(of: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, the program itself first, each before its own commands."""
    of = of or get_command(app)
    yield path
    for name, inner in getattr(of, "commands", {}).items():
        yield from commands(inner, (*path, name))


def main() -> None:
    """Ask the program for every help text."""
    parts = [INTRODUCTION]
    for command in commands():
        call = [sys.executable, "-m", "clapboard", *command, "--help"]
        environment = {**os.environ, "COLUMNS": "100"}
        done = subprocess.run(call, capture_output=True, text=True, check=True, env=environment)
        title = " ".join(["## clapboard", *command])
        parts.append(f"{title}\n\n```text\n{done.stdout.strip()}\n```\n")
    PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
