"""Write ``docs/help.md`` from the program itself; ``tests/cli/test_help_page.py`` holds it true."""

import os
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("help.md")
COMMANDS = (
    (),
    ("check",),
    ("fix",),
    ("features",),
    ("prepare",),
    ("evaluate",),
    ("models", "export"),
    ("models", "import"),
)
INTRODUCTION = "# The commands\n\nWritten by `python docs/make_help.py` from what the program says of itself.\n"


def main() -> None:
    """Ask the program for every help text."""
    parts = [INTRODUCTION]
    for command in COMMANDS:
        call = [sys.executable, "-m", "clapboard", *command, "--help"]
        environment = {**os.environ, "COLUMNS": "100"}
        done = subprocess.run(call, capture_output=True, text=True, check=True, env=environment)
        title = " ".join(["## clapboard", *command])
        parts.append(f"{title}\n\n```text\n{done.stdout.strip()}\n```\n")
    PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
