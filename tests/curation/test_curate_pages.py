"""The server of the votes over real connections: what voters get, and what it does with those who mean no good."""

import http.client
import io
import json
import threading
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

pytest.importorskip("uvicorn", reason="pip install 'clapboard[serve]'")

from pieces import BEEP_S, chirp, names_of, write_flashes

from clapboard.curation.asking import Desk
from clapboard.curation.begin import begin, of_folders, open_project
from clapboard.curation.pages import site
from clapboard.curation.previews import Previews
from clapboard.curation.project import Project
from clapboard.media.encode import write_clip
from clapboard.media.probe import probe
from clapboard.media.read import read_frames
from clapboard.serving.web import background

pytestmark = pytest.mark.serve


class Voter:
    """Somebody without a browser: sends what they like, in the name of whom they like."""

    def __init__(self, address: str, name: str) -> None:
        self.host, self.port = address.removeprefix("http://").rstrip("/").split(":")
        self.cookie = f"clapboard-curate={quote(name)}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        """Send one request as it is; status and body of the answer."""
        line = http.client.HTTPConnection(self.host, int(self.port), timeout=60)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            sent = {"Cookie": self.cookie, **({"Content-Type": "application/json"} if data is not None else {})}
            line.request(
                method, path, data, {**sent, **{key.replace("_", "-"): value for key, value in headers.items()}}
            )
            reply = line.getresponse()
            return reply.status, reply.read()
        finally:
            line.close()

    def json(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """Send one request; status and JSON object of the answer."""
        status, found = self.ask(method, path, body)
        return status, json.loads(found)

    def vote(self, one: dict[str, Any], answer: object = "yes") -> tuple[int, dict[str, Any]]:
        """Answer one question."""
        asked = {"segment": one["segment"], "question": one["question"], "answer": answer}
        return self.json("POST", "/api/answer", asked)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project of one clip of 4.8 s: flash and beep at 0.48, 2.48 and 4.48 s."""
    write_flashes(tmp_path / "clips/flash/a.mp4", 4.8, at_s=0.48)
    made = open_project(tmp_path / "project")
    begin(made, of_folders([tmp_path / "clips"]))
    return made


@pytest.fixture
def address(project: Project) -> Iterator[str]:
    """Return where it is served."""
    with background(site(project, Desk(project), Previews(project))) as found:
        yield found


def count(project: Project) -> int:
    """How many votes there are."""
    with project.reading() as db:
        return int(db.execute("SELECT COUNT(*) FROM votes").fetchone()[0])


def test_previews_are_exactly_their_segment(project: Project, address: str, tmp_path: Path) -> None:
    """Picture and sound of a segment, apart, at true times: the flash and the beep are where the source has them."""
    anna = Voter(address, "anna")
    assert list(names_of(project).values()) == [1, 2]  # 0.8 s are left over, less than half of one
    for number in (1, 2):
        status, data = anna.ask("GET", f"/seen/{number}")
        assert status == 200
        (tmp_path / "seen.mp4").write_bytes(data)
        clip = probe(tmp_path / "seen.mp4")
        assert clip.audio is None
        frames = list(read_frames(clip))
        assert len(frames) == 50
        assert max(frames, key=lambda frame: float(frame.image.mean())).time_s == pytest.approx(0.48, abs=1e-3)

        status, data = anna.ask("GET", f"/heard/{number}")
        with wave.open(io.BytesIO(data)) as file:
            assert file.getnframes() == 2 * 16_000
            samples = np.frombuffer(file.readframes(32_000), "<i2").astype(np.float64)
        pattern = chirp(np.arange(int(BEEP_S * 16_000)) / 16_000)
        assert np.argmax(np.correlate(samples, pattern, "valid")) / 16_000 == pytest.approx(0.48, abs=1e-3)


def test_a_player_may_ask_for_a_part(address: str) -> None:
    """Players seek by HTTP ranges."""
    anna = Voter(address, "anna")
    whole = anna.ask("GET", "/heard/1")[1]
    assert anna.ask("GET", "/heard/1", Range="bytes=10-19") == (206, whole[10:20])


@pytest.mark.parametrize(
    "path",
    [
        "/seen/0", "/seen/999", "/seen/-1", "/seen/1e0", "/seen/1.mp4", "/seen/%31%00", "/seen/٣", "/seen/" + "9" * 400,
        "/seen/..%2fcurate.sqlite", "/seen/../project/curate.sqlite", "/heard/%2e%2e/%2e%2e/etc/passwd",
        "/own/../pages.py", "/own/..%2fpages.py", "/curate.sqlite", "/previews/1.mp4", "/seen", "/api/answer/1",
    ],
)  # fmt: skip
def test_wrong_numbers_and_paths_get_nothing(address: str, path: str) -> None:
    """Nothing but the previews of segments that there are can be fetched."""
    status, data = Voter(address, "anna").ask("GET", quote(path, safe="/%.&?="))
    assert (status, "error" in json.loads(data)) == (404, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"segment": 1, "question": "heard", "answer": "maybe"}, 400),
        ({"segment": 1, "question": "felt", "answer": "yes"}, 400),
        ({"segment": "1", "question": "heard", "answer": "yes"}, 400),
        ({"segment": True, "question": "heard", "answer": "yes"}, 400),
        ({"segment": 10**30, "question": "heard", "answer": "yes"}, 400),
        ({"segment": 1.5, "question": "heard", "answer": "yes"}, 400),
        ({"segment": 1, "question": ["heard"], "answer": "yes"}, 400),
        ({"segment": 1, "question": {"a": 1}, "answer": {"b": 2}}, 400),
        ({}, 400),
        ([1, 2], 400),
        (b"{", 400),
        (b"[" * 20_000, 400),
        (b"x" * 200_000, 413),
        ({"segment": 999, "question": "heard", "answer": "yes"}, 200),
        ({"segment": 2, "question": "seen", "answer": "yes"}, 200),
    ],
)
def test_answers_that_make_no_sense_change_nothing(project: Project, address: str, body: Any, status: int) -> None:
    """Not asked, not noted; and the server goes on."""
    anna = Voter(address, "anna")
    asked = anna.json("GET", "/api/next")[1]["questions"]
    assert {(one["segment"], one["question"]) for one in asked} == {(1, "heard"), (2, "heard")}
    found, data = anna.ask("POST", "/api/answer", body)
    assert found == status
    if status == 200:
        assert json.loads(data)["told"] == "that was no longer asked of you"
    assert count(project) == 0
    assert anna.vote(asked[0])[0] == 200
    assert count(project) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),  # a name that somebody points to this machine
        ({"Host": "127.0.0.1.evil.example"}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content_Type": "text/plain"}, 415),  # what a form of another page could send
    ],
)
def test_pages_from_elsewhere_cannot_vote(project: Project, address: str, headers: dict[str, str], status: int) -> None:
    """Nor read: neither by another name for this machine, nor by a form that is sent here."""
    anna = Voter(address, "anna")
    one = anna.json("GET", "/api/next")[1]["questions"][0]
    body = {"segment": one["segment"], "question": one["question"], "answer": "yes"}
    assert anna.ask("POST", "/api/answer", body, **headers)[0] == status
    assert count(project) == 0


def test_without_a_name_nobody_votes(project: Project, address: str) -> None:
    """A vote is somebody's; the same name in a second window is the same voter."""
    nobody = Voter(address, "")
    assert nobody.json("GET", "/api/next")[0] == 401
    assert nobody.ask("GET", "/seen/1")[0] == 401
    first, second = Voter(address, "Anna"), Voter(address, "anna")
    one = first.json("GET", "/api/next")[1]["questions"][0]
    assert second.json("GET", "/api/next")[1]["questions"][0] == one
    assert first.vote(one)[1]["told"] == ""
    assert second.vote(one, "no")[1]["told"] == "you have answered this one already, in another window perhaps"
    assert count(project) == 1
    assert second.json("POST", "/api/undo", {})[1]["questions"][0] == one
    assert second.json("POST", "/api/undo", {})[1]["told"] == "you have no vote to take back"
    assert count(project) == 0


def test_many_at_once_get_each_question_three_votes(project: Project, address: str) -> None:
    """Eight people in a race for four questions of three places: twelve votes, none of them lost or double."""
    wrong: list[object] = []

    def take_part(name: str) -> None:
        voter = Voter(address, name)
        state = voter.json("GET", "/api/next")[1]
        for _ in range(60):
            if state["questions"]:
                status, state = voter.vote(state["questions"][0])
            else:
                status, state = voter.json("GET", "/api/next")
            if status != 200:
                wrong.append(state)
                return
            if state["over"]:
                return

    people = [threading.Thread(target=take_part, args=(f"v{number}",)) for number in range(8)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert wrong == []
    with project.reading() as db:
        rows = db.execute(
            "SELECT segment, question, COUNT(*), COUNT(DISTINCT voter) FROM votes GROUP BY 1, 2"
        ).fetchall()
    assert [tuple(row)[2:] for row in rows] == [(3, 3)] * 4
    assert list((project.folder / "previews").glob("*")) == []  # what is done needs no preview


def test_only_those_who_were_named_may_vote(project: Project) -> None:
    """With names given, others are told, and nothing of theirs is taken."""
    with background(site(project, Desk(project), Previews(project), only=["Anna", "Ben"])) as address:
        assert Voter(address, "anna").json("GET", "/api/next")[0] == 200
        status, found = Voter(address, "eve").json("GET", "/api/next")
        assert (status, "eve is not among those who may vote" in found["error"]) == (403, True)
        assert Voter(address, "eve").ask("GET", "/seen/1")[0] == 403


def test_a_file_that_is_gone_comes_back(project: Project, address: str, tmp_path: Path) -> None:
    """A disk that is not there is told, and held against nobody: when it is back, its pieces are shown."""
    anna, source = Voter(address, "anna"), tmp_path / "clips/flash/a.mp4"
    source.rename(tmp_path / "away.mp4")
    status, found = anna.json("GET", "/seen/1")
    assert (status, "please tell whoever started this page" in found["error"]) == (500, True)
    status, found = anna.json("GET", "/api/next")
    assert (status, found["questions"], found["over"]) == (200, [], False)  # nobody is asked about it by then
    (tmp_path / "away.mp4").rename(source)
    assert anna.ask("GET", "/seen/1")[0] == 200


def test_what_cannot_be_decoded_leaves_the_questions(project: Project, address: str, tmp_path: Path) -> None:
    """A file whose picture ends before its header says: its last pieces are noted as broken, and the votes go on."""
    long = tmp_path / "more/flash/torn.mkv"
    long.parent.mkdir(parents=True)
    noise = np.random.default_rng(3)
    images = [noise.integers(0, 255, (48, 64), np.uint8) for _ in range(150)]
    write_clip(long, images, 25, np.zeros(96_000, np.float32), 16_000)
    long.write_bytes(long.read_bytes()[: long.stat().st_size // 2])
    begin(project, of_folders([tmp_path / "more"]))
    numbers = {name: number for name, number in names_of(project).items() if "torn" in name}
    if not numbers:
        pytest.skip("this FFmpeg does not open what is cut off")
    anna = Voter(address, "anna")
    statuses = {name: anna.ask("GET", f"/heard/{number}")[0] for name, number in numbers.items()}
    assert set(statuses.values()) <= {200, 410}
    broken = [number for name, number in numbers.items() if statuses[name] == 410]
    assert broken
    asked = {one.segment for one in Desk(project).ask("ben", count=100)}
    assert not asked.intersection(broken)
