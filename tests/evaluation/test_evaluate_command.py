"""``clapboard evaluate`` through its real entry point, on rendered faces and the model that ships."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clapboard.cli import main
from clapboard.dataset.store import Entry, Stored, Writer
from clapboard.models.store import BUNDLED
from clapboard.testing import mouth_crops

SECONDS = 3.0
QUICK = ("--bootstrap", "20")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data set of three rendered faces; the sound of each is 60 ms early."""
    folder = tmp_path_factory.mktemp("rendered") / "set"
    with Writer(folder, "mouth-64") as writer:
        for seed in range(40, 43):
            images, samples = mouth_crops(seed, SECONDS)
            said: dict[str, Any] = {"corpus": "rendered", "speaker": f"s{seed}", "group": f"rendered/s{seed}"}
            said |= {"track": 0, "shard": 0, "face_px": 90.0, "speech_share": 0.9}
            entry = Entry(f"c{seed}", f"c{seed}.mp4", start_s=0.0, end_s=SECONDS, frames=len(images), **said)
            writer.add(
                entry, Stored(images, np.arange(len(images)) / 25, np.round(32767 * samples).astype(np.int16), -0.06)
            )
            writer.finished()
    return folder


@pytest.fixture
def references(tmp_path: Path) -> Path:
    """Return a table of their true offsets."""
    table = tmp_path / "known.csv"
    table.write_text("file,offset_ms,usable\n" + "".join(f"c{seed}.mp4,60,yes\n" for seed in range(40, 43)))
    return table


def test_tables_json_and_page(
    rendered: Path, references: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the command: it takes out the references, says the same three ways, and controls are not answered."""
    found, shown = tmp_path / "found.json", tmp_path / "found.html"
    files = ("--offsets", str(references), "--json", str(found), "--html", str(shown))
    assert main(["evaluate", "clapboard-s", str(rendered), *files, *QUICK]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    record = json.loads(found.read_text())
    assert record["size"]["tracks"] == 3
    assert -25 < record["constant"]["constant_ms"] < 25
    assert record["pieces"][1]["seconds"] == 1.0
    assert record["pieces"][1]["within_40_ms"] > 0.8
    assert record["frames_seen"]["rows"]["own"]["accuracy"][5] > 0.5
    assert all(row["answered"] < 0.3 for row in record["controls"] if row["seconds"] >= 1)
    number = f"{100 * record['frames_seen']['rows']['own']['accuracy'][0]:.1f}"
    assert number in out
    assert f"<td>{number}</td>" in shown.read_text()
    assert "3 tracks of 3 people" in out


def test_models_joined_by_a_plus(rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects the thorough mode: a model joined with itself, once by the path of its JSON, is that model."""
    for path in BUNDLED.glob("clapboard-s*"):
        shutil.copy(path, tmp_path)
    results = []
    for number, model in enumerate(("clapboard-s", f"clapboard-s+{tmp_path / 'clapboard-s.json'}")):
        out = tmp_path / f"{number}.json"
        assert main(["evaluate", model, str(rendered), "--quiet", "--json", str(out), *QUICK]) == 0
        results.append(json.loads(out.read_text()))
    assert capsys.readouterr().out == ""
    one, both = results
    assert len(both["models"]) == 2
    assert both["frames_seen"]["rows"]["own"]["accuracy"] == one["frames_seen"]["rows"]["own"]["accuracy"]
    assert both["calibrated"] is False
    assert both["references"].startswith("labels")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("no-such-model", "{set}"), 5, "no model called no-such-model"),
        (("clapboard-s", "{set}/none"), 4, "is no data set"),
        (("clapboard-s+", "{set}"), 2, "names no model on one side"),
        (("clapboard-s", "{set}", "--offsets", "{tmp}/none.csv"), 4, "none.csv: cannot be read"),
        (("clapboard-s", "{set}", "--json", "{tmp}/none/a.json"), 2, "there is no folder"),
        (("clapboard-s", "{set}", "--json", "{tmp}"), 2, "is a directory"),
        (("clapboard-s", "{set}", "--html", "{tmp}/known.csv"), 2, "exists already; give --overwrite"),
        (("clapboard-s", "{set}", "--offsets", "{tmp}/known.csv", "--json", "{tmp}/known.csv", "--overwrite"), 2,
         "is an input, which is never overwritten"),
        (("clapboard-s", "{set}", "--json", "{tmp}/a", "--html", "{tmp}/a"), 2, "need a file each"),
        (("clapboard-s", "{set}", "--max-offset-ms", "5000"), 2, "1500"),
        (("clapboard-s",), 2, "DATASET"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(  # noqa: PLR0917 - a table of cases
    arguments: tuple[str, ...],
    code: int,
    said: str,
    rendered: Path,
    references: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Protects people who mistype: what was wrong, the exit code, nothing written and no table."""
    before = references.read_text()
    filled = [argument.format(set=rendered, tmp=references.parent) for argument in arguments]
    assert main(["evaluate", *filled]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1
    assert sorted(path.name for path in references.parent.iterdir()) == ["known.csv"]
    assert references.read_text() == before
