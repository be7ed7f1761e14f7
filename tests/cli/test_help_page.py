"""The page ``docs/help.md`` says what ``--help`` says."""

import re
from pathlib import Path

import pytest

from clapboard.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "help.md"


def letters(text: str) -> str:
    """Return the letters and digits of a help text, without notes and types, which differ with typer's version."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"<[^>]*>|\[[^\]]*\]", "", text).lower())


@pytest.mark.parametrize(
    "command", ["", "check", "fix", "features", "prepare", "evaluate", "models export", "models import"]
)
def test_help_page_is_true(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Whoever changes an option changes the page: ``python docs/make_help.py``."""
    monkeypatch.setenv("COLUMNS", "100")
    assert main([*command.split(), "--help"]) == 0
    shown = letters(capsys.readouterr().out)
    title = f"## clapboard {command}".strip()
    section = PAGE.read_text(encoding="utf-8").split(f"\n{title}\n", 1)[1].split("\n## ", 1)[0]
    assert len(shown) > 200
    assert letters(section.replace("```text", "")) == shown
