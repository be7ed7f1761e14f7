"""Three people vote by keyboard in a real browser, with all that happens to them; then the clips are cut."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="pip install 'clapboard[serve]'")

from pieces import names_of, write_flashes

from clapboard.cli import main
from clapboard.curation.project import Project
from pages import browser

pytestmark = [pytest.mark.browser, pytest.mark.serve]

WAIT_MS = 120_000
LOADED_S = 8.0
"""For a machine that has much else to do; nothing is timed."""
UNSEEN, HEARD_BY_ANNA = "flash/flash/hole.mp4#t=2,4", "bang/bang/short.mp4#t=2,4"


class Server:
    """``clapboard curate serve`` as a program of its own, which can be ended and started again at the same address."""

    def __init__(self, project: Path) -> None:
        self.project, self.port = project, 0
        self.start()

    def start(self) -> None:
        """Start it, and wait for the line with the address."""
        command = [sys.executable, "-m", "clapboard", "curate", "serve", str(self.project), "--port", str(self.port)]
        self.running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.running.stdout is not None
        self.address = self.running.stdout.readline().rpartition(" ")[2].strip()
        self.port = int(re.findall(r":(\d+)/", self.address)[0])

    def stop(self) -> None:
        """End it as people do, by Ctrl-C: that is no error."""
        self.running.send_signal(signal.SIGINT)
        _, err = self.running.communicate(timeout=60)
        assert (self.running.returncode, err) == (0, "")


class Person:
    """Somebody at a keyboard; what they answer follows from what is true of a segment."""

    def __init__(self, opened: Any, server: Server, name: str, project: Project) -> None:
        self.server, self.name = server, name
        self.by_number = {number: segment for segment, number in names_of(project).items()}
        self.context = opened.new_context()
        self.wrong: list[str] = []
        self.page = self.window()
        self.page.fill("#name", name)
        self.page.keyboard.press("Enter")

    def window(self) -> Any:
        """Open a window of this person's browser."""
        page = self.context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.goto(self.server.address)
        return page

    def asked(self, page: Any = None) -> tuple[int, str]:
        """Wait until something is played; its segment and question."""
        page = page or self.page
        page.wait_for_selector("body[data-ready=yes]")
        body = page.locator("body")
        return int(body.get_attribute("data-segment")), str(body.get_attribute("data-question"))

    def truth(self) -> str:
        """The key for what is true of what is shown."""
        segment, question = self.asked()
        name = self.by_number[segment]
        if question == "seen":
            return "n" if name == UNSEEN else "y"
        return "n" if name == HEARD_BY_ANNA and self.name != "Anna" else "y"

    def press(self, key: str) -> None:
        """Press a key and wait until the number of own votes has changed."""
        own = self.page.locator("body").get_attribute("data-own")
        self.page.keyboard.press(key)
        self.page.wait_for_selector(f"body:not([data-own='{own}'])")

    @property
    def over(self) -> bool:
        """Whether this person has answered everything."""
        self.page.wait_for_selector("body[data-ready=yes], body[data-state=over]")
        return bool(self.page.locator("body").get_attribute("data-state") == "over")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project of three clips in two classes: eight segments, 48 votes."""
    write_flashes(tmp_path / "clips/flash/whole.mp4", 6.0)
    write_flashes(tmp_path / "clips/flash/hole.mp4", 6.0)
    write_flashes(tmp_path / "clips/bang/short.mp4", 4.0)
    assert main(["curate", "begin", str(tmp_path / "project"), str(tmp_path / "clips"), "-q"]) == 0
    return Project(tmp_path / "project")


@pytest.fixture
def server(project: Project) -> Iterator[Server]:
    """Return the program that serves it."""
    started = Server(project.folder)
    yield started
    if started.running.poll() is None:
        started.running.kill()
        started.running.communicate()


def test_three_people_vote_and_the_clips_are_cut(
    project: Project, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it: three voters at once, undo, a second window, a server that ends, a browser that closes; the clips."""
    with browser() as opened:
        anna, ben, cleo = people = [Person(opened, server, name, project) for name in ("Anna", "Ben", "Cleo")]

        first = anna.asked()
        anna.press("n")  # a slip of the key, taken back
        anna.press("u")
        assert anna.asked() == first
        assert anna.page.locator("body").get_attribute("data-own") == "0"

        ben.page.keyboard.press(" ")  # to hear it again is no vote
        assert ben.asked() == first
        for _ in range(3):
            for one in people:
                one.press(one.truth())

        other = cleo.window()
        assert cleo.asked(other) == cleo.asked()
        answered = cleo.asked()
        cleo.press(cleo.truth())
        other.keyboard.press("y")  # what is on this page has been answered on the other one
        other.wait_for_selector("#status:text('already')")
        assert cleo.asked(other) == cleo.asked() != answered
        other.close()

        server.stop()
        anna.asked()
        anna.page.keyboard.press("y")
        anna.page.wait_for_selector("#status.error:text('is it still running')")
        ben.context.close()
        server.start()

        ben = Person(opened, server, "Ben", project)
        ben.page.click("#name-same")  # somebody of this name was here before
        people = [anna, ben, cleo]
        while left := [one for one in people if not one.over]:
            for one in left:
                one.press(one.truth())

        eve = Person(opened, server, "Eve", project)  # everything has its three votes
        assert eve.over
        for one in (*people, eve):
            assert one.wrong == []
    server.stop()

    capsys.readouterr()
    assert main(["curate", "cut", str(project.folder), "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "4 clips, 4 of them new, 12.0 s; 2 of 8 segments removed" in said.out
    clips = [json.loads(line)["clip"] for line in (tmp_path / "out/manifest.jsonl").read_text().splitlines()]
    assert clips == [
        "bang/short_000000_002000.mp4",
        "flash/hole_000000_002000.mp4",
        "flash/hole_004000_006000.mp4",
        "flash/whole_000000_006000.mp4",
    ]
    rows = [json.loads(line) for line in (tmp_path / "out/statistics.jsonl").read_text().splitlines()]
    assert [(row["class"], row["kept"], row["removed"], row["votes"]) for row in rows] == [
        ("bang", 1, 1, 12),
        ("flash", 5, 1, 36),
        (None, 6, 2, 48),
    ]
    # Fleiss by hand: of 24 answers on sound 22 are yes, and one of eight items is answered 1 : 2
    assert rows[2]["seen"] == {"items": 8, "observed": 1.0, "kappa": 1.0}
    assert rows[2]["heard"] == {"items": 8, "observed": 0.9167, "kappa": 0.4545}


def test_what_is_shown_is_picture_or_sound_alone(project: Project, server: Server) -> None:
    """As the browser has it: two seconds of sound without a picture, then two seconds of picture without a sound."""
    with browser() as opened:
        anna = Person(opened, server, "Anna", project)
        met = {}
        while not anna.over:
            question = anna.asked()[1]
            if question not in met:
                player = anna.page.locator("#stage > div:not([hidden]) > :is(video, audio)")
                met[question] = player.evaluate(
                    "p => [p.tagName, p.duration, p.videoWidth ?? 0, p.webkitAudioDecodedByteCount > 0]"
                )
            anna.press("y")
        assert met == {"heard": ["AUDIO", 2, 0, True], "seen": ["VIDEO", 2, 64, False]}


def test_nobody_votes_on_what_was_not_played(project: Project, server: Server) -> None:
    """Where the browser wants a key first, it is asked for, and y means nothing before."""
    with browser("--no-sandbox", "--mute-audio", "--autoplay-policy=user-gesture-required") as opened:
        anna = Person(opened, server, "Anna", project)
        time.sleep(LOADED_S)  # whatever asks the page anything counts as a key for the browser
        if anna.page.locator("body").get_attribute("data-ready") == "yes":
            pytest.skip("the page was slow, and its driver's question counted as a key")
        assert anna.page.locator("#status.error:text('press space')").count() == 1
        assert anna.page.locator("#yes").is_disabled()
        anna.page.keyboard.press(" ")
        anna.asked()
        anna.press("y")
    server.stop()


def test_a_file_that_is_gone_does_not_hold_the_others_up(project: Project, server: Server, tmp_path: Path) -> None:
    """One file of three is away: all else is voted on without a key for it, and what is left waits."""
    (tmp_path / "clips/bang/short.mp4").rename(tmp_path / "away.mp4")
    with browser() as opened:
        anna = Person(opened, server, "Anna", project)
        for _ in range(12):
            assert not anna.by_number[anna.asked()[0]].startswith("bang/")
            anna.press("y")
        anna.page.wait_for_selector("body[data-state=waiting]")
        assert not anna.wrong
