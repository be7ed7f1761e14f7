"""The page ``docs/help.md`` says what ``--help`` says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from clapboard.cli import main
from clapboard.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "help.md"


def letters(text: str) -> str:
    """Return the letters and digits of a help text, without notes and types, which differ with typer's version."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"<[^>]*>|\[[^\]]*\]", "", text).lower())


def commands(of: Any, name: str = "") -> Iterator[str]:
    """Yield the words of every command, the program itself first."""
    yield name
    for word, inner in getattr(of, "commands", {}).items():
        yield from commands(inner, f"{name} {word}".strip())


ALL = list(commands(get_command(app)))


def test_the_page_has_every_command() -> None:
    """Whoever adds a command adds it to the page: ``python docs/make_help.py`` finds it by itself."""
    titles = re.findall(r"^## clapboard ?(.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert titles == ALL
    assert {"", "check", "fix", "models", "models list"} <= set(ALL)


@pytest.mark.parametrize("command", ALL)
def test_help_page_is_true(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Whoever changes an option changes the page: ``python docs/make_help.py``."""
    monkeypatch.setenv("COLUMNS", "100")
    assert main([*command.split(), "--help"]) == 0
    shown = letters(capsys.readouterr().out)
    title = f"## clapboard {command}".strip()
    section = PAGE.read_text(encoding="utf-8").split(f"\n{title}\n", 1)[1].split("\n## ", 1)[0]
    assert len(shown) > 200
    assert letters(section.replace("```text", "")) == shown
