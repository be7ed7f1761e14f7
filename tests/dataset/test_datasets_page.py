"""The page ``docs/datasets.md``: its programs run, and its tables name what is there."""

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import toy

from clapboard.dataset.store import Dataset, Entry

PAGE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_program_without_clapboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects people with other tools: ten lines of numpy read the first track."""
    found = Dataset.open(toy.write(tmp_path / "talks"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(PROGRAMS[0], names)
    np.testing.assert_array_equal(names["images"], found.stored(found.entries[0]).images)  # type: ignore[arg-type]


@pytest.mark.train
def test_the_program_with_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the second program: shapes as its comments say."""
    pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
    toy.write(tmp_path / "talks")
    monkeypatch.chdir(tmp_path)
    exec(PROGRAMS[1], {})
    assert "torch.Size([5, 64, 64]) torch.Size([20, 40])" in capsys.readouterr().out


def test_every_field_is_on_the_page() -> None:
    """Protects the tables: a field that is added is described."""
    table = PAGE.split("| row of the manifest |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) == {field.name for field in fields(Entry)}
