"""People take part in a real browser: Chromium plays the files, keys answer, and the report has the right numbers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="pip install 'clapboard[serve]'")

from studies import write_folders

from clapboard.cli import main
from clapboard.serving.web import background
from clapboard.study.pages import site
from clapboard.study.store import Study
from pages import ARGUMENTS, browser

pytestmark = [pytest.mark.browser, pytest.mark.serve]

WAIT_MS = 120_000
"""For a machine that has much else to do; nothing is timed."""
READY = "body[data-ready=yes]"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the study ``st`` of two clips and two variants, and those clips."""
    folder = tmp_path_factory.mktemp("browser")
    write_folders(folder)
    variants = [word for name in ("noisy", "late") for word in ("--variant", f"{name}={folder / name}")]
    given = ["study", "begin", str(folder / "st"), "--original", str(folder / "real"), *variants, "--quiet"]
    assert main(given) == 0
    return folder


@pytest.fixture
def study(begun: Path, tmp_path: Path) -> Study:
    """Return that study, fresh for each test: the database is its own, the files are shared."""
    folder = tmp_path / "st"
    folder.mkdir()
    (folder / "clips").symlink_to(begun / "st" / "clips")
    (folder / "study.sqlite").write_bytes((begun / "st" / "study.sqlite").read_bytes())
    return Study(folder)


@pytest.fixture
def address(study: Study) -> Iterator[str]:
    """Return where the study is served."""
    with background(site(study, "Which one?")) as found:
        yield found


class Person:
    """Somebody at a keyboard, in a browser of their own."""

    def __init__(self, opened: Any, address: str, name: str) -> None:
        self.context = opened.new_context()
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.asked_elsewhere: list[str] = []
        self.page.on("request", lambda one: one.url.startswith(address) or self.asked_elsewhere.append(one.url))
        self.address = address
        self.page.goto(address)
        self.page.fill("#name", name)
        self.page.keyboard.press("Enter")

    def begin(self) -> None:
        """Leave the words before a game."""
        self.page.wait_for_selector("#intro:not([hidden])")
        self.page.keyboard.press("Space")

    def at_hand(self) -> tuple[int, str]:
        """Return round and question, when both sounds have been heard."""
        self.page.wait_for_selector(READY)
        body = self.page.locator("body")
        return int(body.get_attribute("data-round")), str(body.get_attribute("data-question"))

    def press(self, key: str) -> None:
        """Answer, and wait until something else is asked, or all is over."""
        number, question = self.at_hand()
        self.page.keyboard.press(key)
        self.page.wait_for_selector(f"body:not([data-round='{number}']), body:not([data-question='{question}'])")

    def close(self) -> None:
        """Go away."""
        self.context.close()
        assert self.wrong == []
        assert self.asked_elsewhere == []


def sources(study: Study, number: int) -> tuple[int, int]:
    """Return what is left and what is right in a round, which no participant sees."""
    with study.database.read() as db:
        row = db.execute("SELECT left_source, right_source FROM round WHERE id = ?", (number,)).fetchone()
    return int(row["left_source"]), int(row["right_source"])


def test_a_participant_plays_through_closes_and_goes_on(
    study: Study, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the whole study: both games by keyboard, a break in between, nothing twice, the report as answered."""
    met: list[tuple[int, str]] = []
    with browser() as opened:
        ada = Person(opened, address, "Ada")
        ada.begin()
        met.append(ada.at_hand())
        left, _ = sources(study, met[0][0])
        ada.press("1" if left == 0 else "ArrowRight")  # the original
        second = ada.at_hand()
        ada.close()
        grace = Person(opened, address, "Grace")  # comes while Ada is away, and takes the fake
        grace.begin()
        number, _ = grace.at_hand()
        grace.press("2" if sources(study, number)[0] == 0 else "ArrowLeft")
        grace.close()
        ada = Person(opened, address, "ada")
        ada.page.click("#name-same")  # asked whether they are the same
        ada.page.wait_for_selector("#intro:not([hidden])")
        ada.page.keyboard.press("Space")
        assert ada.at_hand() == second, "the same round comes again"
        met.append(second)
        ada.press("2" if sources(study, second[0])[0] == 0 else "1")  # the fake
        ada.begin()
        for _ in range(6):
            number, question = ada.at_hand()
            met.append((number, question))
            left, right = sources(study, number)
            ada.press("0" if question == "timing" else "1" if left < right else "2")  # noisy is better, but in time
        ada.page.wait_for_selector("#over:not([hidden])")
        ada.close()
    assert len(set(met)) == len(met) == 8
    capsys.readouterr()
    assert main(["study", "report", str(study.folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["participants"], found["finished"], found["answers"]) == (2, 1, 9)
    both = found["real_or_fake_all"]
    assert (both["hits"], both["answers"], both["people"]) == (2, 3, 2)
    pairs = {one["question"]: one for one in found["pairs"]}
    for question, hits, neither in (("correctness", 2, 0), ("noise", 2, 0), ("timing", 0, 2)):
        assert (pairs[question]["variant"], pairs[question]["against"]) == ("noisy", "late")
        assert (pairs[question]["hits"], pairs[question]["neither"]) == (hits, neither)
    with study.database.read() as db:
        rows = db.execute("SELECT left_plays, right_plays, after_ms FROM answer").fetchall()
    assert all(row["left_plays"] >= 1 and row["right_plays"] >= 1 for row in rows)


def test_answers_wait_for_both_sounds_and_windows_agree(study: Study, address: str) -> None:
    """Protects counts: keys do nothing before both were heard, and a second window notices what the first has done."""
    with browser() as opened:
        ada = Person(opened, address, "Ada")
        ada.page.wait_for_selector("#intro:not([hidden])")
        ada.page.keyboard.press("1")
        ada.begin()
        ada.page.keyboard.press("1")
        ada.page.wait_for_selector("text=hear both to the end first")
        first = ada.at_hand()
        other = ada.context.new_page()
        other.set_default_timeout(WAIT_MS)
        other.goto(address)
        other.wait_for_selector("#intro:not([hidden])")
        other.keyboard.press("Space")
        other.wait_for_selector(f"{READY}[data-round='{first[0]}']")
        ada.press("1")
        other.keyboard.press("2")
        other.wait_for_selector("text=answered already, perhaps in another window")
        other.wait_for_selector(f"body:not([data-round='{first[0]}'])")
        ada.close()
    with study.database.read() as db:
        assert [row["chosen"] for row in db.execute("SELECT chosen FROM answer")] == ["left"]


def test_sound_plays_where_browsers_want_a_key_first(address: str) -> None:
    """Protects people whose browser plays nothing by itself: the key that begins is what it waits for."""
    with browser(
        *(word for word in ARGUMENTS if "autoplay" not in word), "--autoplay-policy=user-gesture-required"
    ) as opened:
        ada = Person(opened, address, "Ada")
        ada.begin()
        ada.at_hand()
        ada.close()


def test_a_file_that_cannot_be_played_is_told_and_left_out(study: Study, address: str) -> None:
    """Protects people before a broken file: one line, and a key that goes on."""
    real = study.clips.resolve()
    study.clips.unlink()
    study.clips.mkdir()
    for file in real.iterdir():
        (study.clips / file.name).write_bytes(b"no video at all" * 100)
    with browser() as opened:
        ada = Person(opened, address, "Ada")
        ada.begin()
        ada.page.wait_for_selector("text=this browser cannot play the file: space tries again, s leaves it out")
        number = ada.page.locator("body").get_attribute("data-round")
        ada.page.keyboard.press("s")
        ada.page.wait_for_selector(f"body:not([data-round='{number}'])")
        ada.close()
    with study.database.read() as db:
        assert db.execute("SELECT SUM(unplayable) FROM round").fetchone()[0] == 1
