"""The server over real connections: who is let in, what is sent, and what is refused in one line."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="pip install 'clapboard[serve]'")

from clapboard.errors import MediaError, UsageError
from clapboard.serving.asked import Answer, Asked, Html, Media
from clapboard.serving.database import BusyError
from clapboard.serving.site import Site, page
from clapboard.serving.web import background
from clapboard.serving.web.app import MOST_BODY
from clapboard.serving.web.run import listen, run

pytestmark = pytest.mark.serve

CONTENT = bytes(range(256)) * 40
COOKIE = "clapboard-toy=Ada"


def toy(folder: Path) -> Site:
    """Return a site with one route of each kind."""
    (folder / "clip.bin").write_bytes(CONTENT)
    (folder / "static").mkdir()
    (folder / "static" / "own.js").write_text("export const own = 1;")
    (folder / "static" / "secret.txt").write_text("no")
    (folder / "secret.js").write_text("no")

    def start(asked: Asked) -> Html:
        return page("Toy", "<main>toy</main>", keys=[("1", "one")])

    def echo(asked: Asked) -> Answer:
        return {"name": asked.name, "n": asked.whole("n"), "query": dict(asked.query)}

    def clip(asked: Asked) -> Media:
        return Media(folder / asked.path["file"], "video/mp4")

    def fails(asked: Asked) -> Answer:
        if asked.query.get("how") == "busy":
            raise BusyError("locked")
        if asked.query.get("how") == "media":
            raise MediaError(f"{folder}: is gone")
        raise UsageError("no such thing") if asked.query.get("how") == "usage" else ZeroDivisionError

    routes = {"GET /": start, "POST /api/echo": echo, "GET /clip/{file}": clip, "GET /api/fails": fails}
    return Site("toy", "Toy", routes, folder / "static", known=lambda name: name == "Grace")


class Client:
    """Asks one server, each time by a new connection."""

    def __init__(self, address: str) -> None:
        self.host, self.port = address.removeprefix("http://").rstrip("/").split(":")

    def __call__(
        self, method: str, path: str, body: Any = None, /, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body; ``_`` in names of headers stands for ``-``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body, sent = json.dumps(body).encode(), {"Content-Type": "application/json", **sent}
        connection = http.client.HTTPConnection(self.host, int(self.port), timeout=30)
        try:
            connection.request(method, path, body, sent)
            reply = connection.getresponse()
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """Send bytes as they are; return all that comes."""
        with socket.create_connection((self.host, int(self.port)), timeout=30) as line:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: line.recv(65_536), b""))


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return a function that asks the toy site."""
    with background(toy(tmp_path_factory.mktemp("toy"))) as address:
        yield Client(address)


def line(reply: tuple[int, dict[str, str], bytes]) -> str:
    """Return the one line of an error."""
    found = json.loads(reply[2])
    assert list(found) == ["error"]
    assert "\n" not in found["error"]
    return str(found["error"])


def test_a_name_comes_first(ask: Client) -> None:
    """Protects answers from having no owner: pages lead to the question, scripts are told."""
    assert ask("GET", "/", Accept="text/html")[:2] == (
        303,
        {**ask("GET", "/", Accept="text/html")[1], "location": "/name"},
    )
    refused = ask("POST", "/api/echo", {"n": 1})
    assert (refused[0], line(refused)) == (401, "give your name first, on the first page")
    status, headers, _ = ask("POST", "/name", {"name": " Ada  Löwe "})
    cookie = headers["set-cookie"]
    assert status == 200
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    told = ask("POST", "/api/echo?a=1", {"n": 1}, Cookie=cookie.split(";")[0])
    assert json.loads(told[2]) == {"name": "Ada Löwe", "n": 1, "query": {"a": "1"}}


def test_a_known_name_is_asked_again(ask: Client) -> None:
    """Protects two people of one name: the second has to say that they are the first."""
    _, headers, body = ask("POST", "/name", {"name": "Grace"})
    assert json.loads(body) == {"known": True}
    assert "set-cookie" not in headers
    assert "set-cookie" in ask("POST", "/name", {"name": "Grace", "same": True})[1]
    assert "set-cookie" in ask("POST", "/name", {"name": "Grace"}, Cookie="clapboard-toy=Grace")[1]


NAMES = ("", "%00", "%ff", "a%20%20b", 41 * "x")


@pytest.mark.parametrize("cookie", [*(f"clapboard-toy={name}" for name in NAMES), "other=Ada", "=;=;"])
def test_a_name_that_nobody_could_give_is_none(ask: Client, cookie: str) -> None:
    """Protects tables from made-up cookies."""
    assert ask("POST", "/api/echo", {"n": 1}, Cookie=cookie)[0] == 401


@pytest.mark.parametrize(
    ("span", "status", "content"),
    [
        ("bytes=0-0", 206, CONTENT[:1]),
        ("bytes=5-9", 206, CONTENT[5:10]),
        ("bytes=10000-", 206, CONTENT[10_000:]),
        ("bytes=-7", 206, CONTENT[-7:]),
        ("bytes=99999-", 416, None),
        ("bytes=9-5", 400, None),
        ("bytes=x", 400, None),
    ],
)
def test_files_come_in_ranges(ask: Client, span: str, status: int, content: bytes | None) -> None:
    """Protects seeking and replaying: players ask for pieces of a file."""
    found, headers, body = ask("GET", "/clip/clip.bin", Cookie=COOKIE, Range=span)
    assert found == status
    if content is not None:
        assert body == content
        assert headers["content-range"].endswith(f"/{len(CONTENT)}")


def test_files_tell_neither_name_nor_date(ask: Client) -> None:
    """Protects blind comparisons: headers are the same for all files of a size."""
    _, headers, body = ask("GET", "/clip/clip.bin", Cookie=COOKIE)
    assert body == CONTENT
    assert headers["last-modified"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert headers["etag"] == '"0"'
    assert "content-disposition" not in headers
    gone = ask("GET", "/clip/none.bin", Cookie=COOKIE)
    assert (gone[0], line(gone)) == (404, "this file is gone from the disk")


PATHS = ["/../secret.js", "/own/../secret.js", "/own/..%2fsecret.js", "/own/%2e%2e/secret.js", "/own/secret.txt",
         "/own/.", "/own/%00.js", "/own/..%5csecret.js", "/base/..%2f__init__.py", "/clip/", "/nothing"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_nothing_else_is_served(ask: Client, path: str) -> None:
    """Protects the rest of the disk: only what is listed, of kinds that are scripts and styles."""
    reply = ask("GET", path, Cookie=COOKIE)
    assert (reply[0], line(reply)) == (404, "there is nothing here")
    assert ask("GET", "/own/own.js")[2] == b"export const own = 1;"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "10.0.0.1", "[::2]",
             "localhost:x", "", "localhost/", "2130706433"]
)  # fmt: skip
def test_other_hosts_are_refused(ask: Client, host: str) -> None:
    """Protects against DNS rebinding: a page elsewhere that lets its own name lead here still sends that name."""
    reply = ask.raw(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert reply.startswith(b"HTTP/1.1 400")
    assert b"toy" not in reply


def test_own_hosts_are_served_and_two_are_none(ask: Client) -> None:
    """Protects the names under which people reach it, with and without port."""
    for host in ("localhost", "LOCALHOST:8000", "127.0.0.1", "localhost."):
        assert ask("GET", "/name", Host=host)[0] == 200
    two = ask.raw(b"GET /name HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert two.startswith(b"HTTP/1.1 400")


def test_pages_from_elsewhere_cannot_send(ask: Client) -> None:
    """Protects answers from forged requests: the origin has to be ours, and forms cannot send JSON."""
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{ask.port}", "http://127.0.0.1:1"):
        reply = ask("POST", "/api/echo", {"n": 1}, Cookie=COOKIE, Origin=origin)
        assert (reply[0], line(reply)) == (403, "asked by a page from elsewhere")
    own = f"http://127.0.0.1:{ask.port}"
    assert ask("POST", "/api/echo", {"n": 1}, Cookie=COOKIE, Origin=own)[0] == 200
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        reply = ask("POST", "/api/echo", b'{"n": 1}', Cookie=COOKIE, Content_Type=kind)
        assert (reply[0], line(reply)) == (415, "send JSON, as Content-Type application/json")


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "that is no JSON"),
        (b"{", 400, "that is no JSON"),
        (b"\xff\xfe\x00", 400, "that is no JSON"),
        (b"[" * MOST_BODY, 400, "that is no JSON"),
        (b"[1]", 400, "send a JSON object"),
        (b"null", 400, "send a JSON object"),
        (b" " * (MOST_BODY + 1), 413, "that is too long: at most 65536 bytes"),
    ],
)
def test_bodies_are_checked(ask: Client, body: bytes, status: int, said: str) -> None:
    """Protects memory and routes: what is too long or no object ends in one line."""
    reply = ask("POST", "/api/echo", body, Cookie=COOKIE, Content_Type="application/json")
    assert (reply[0], line(reply)) == (status, said)


def test_lengths_that_are_wrong_do_not_help(ask: Client) -> None:
    """Protects memory from bodies in pieces of unknown length: what arrives is counted."""
    piece = b"%x\r\n%s\r\n" % (40_000, b" " * 40_000)
    head = (
        f"POST /api/echo HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {COOKIE}\r\nContent-Type: application/json\r\n"
        "Connection: close\r\n"
    ).encode()
    assert (
        b" 413 " in ask.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + 3 * piece + b"0\r\n\r\n").split(b"\r\n")[0]
    )
    assert b" 400 " in ask.raw(head + b"Content-Length: -1\r\n\r\n").split(b"\r\n")[0]
    huge = ask.raw(head + b"Content-Length: 999999999999999999999999\r\n\r\n").split(b"\r\n")[0]
    assert b" 413 " in huge or b" 400 " in huge


def test_errors_are_one_line(ask: Client, capfd: pytest.CaptureFixture[str]) -> None:
    """Protects people from tracebacks, and whoever serves from not hearing of a defect."""
    busy = ask("GET", "/api/fails?how=busy", Cookie=COOKIE)
    assert (busy[0], line(busy)) == (503, "the answers are being written by somebody else; try again")
    usage = ask("GET", "/api/fails?how=usage", Cookie=COOKIE)
    assert (usage[0], line(usage)) == (400, "no such thing")
    defect = ask("GET", "/api/fails", Cookie=COOKIE)
    assert (defect[0], line(defect)) == (
        500,
        "a defect of Clapboard, ZeroDivisionError; please tell whoever started this page",
    )
    assert "clapboard: a defect of Clapboard, ZeroDivisionError" in capfd.readouterr().err
    gone = ask("GET", "/api/fails?how=media", Cookie=COOKIE)
    assert (gone[0], line(gone)) == (500, "that cannot be done now; please tell whoever started this page")
    assert ": is gone" in capfd.readouterr().err, "with its path for who serves alone"
    wrong = ask("POST", "/clip/clip.bin", {"n": 1}, Cookie=COOKIE)
    assert (wrong[0], line(wrong)) == (405, "that cannot be done here")
    for_people = ask("GET", "/nothing", Accept="text/html", Cookie=COOKIE)
    assert for_people[0] == 404
    assert b"<p>there is nothing here</p>" in for_people[2]


def test_every_answer_keeps_browsers_from_elsewhere(ask: Client) -> None:
    """Protects pages: nothing is loaded from elsewhere, nothing inline runs, nothing is kept or framed."""
    for path in ("/", "/name", "/base/base.js", "/base/base.css", "/clip/clip.bin", "/nothing"):
        _, headers, _ = ask("GET", path, Cookie=COOKIE)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_pages_name_nothing_elsewhere(ask: Client) -> None:
    """Protects rooms without a network, and the privacy of those in them."""
    for path in ("/", "/name", "/base/base.css", "/base/base.js", "/base/name.js"):
        body = ask("GET", path, Cookie=COOKIE)[2]
        assert b"http://" not in body
        assert b"https://" not in body


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    """Protects who starts it twice."""
    site = toy(tmp_path)
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 cannot be used .*; give another --port"):
            run(site, port=port)
    with pytest.raises(UsageError, match="is no address of this machine"):
        run(site, host="no.such.host.invalid", port=0)
    with pytest.raises(UsageError, match="0 to 65535"):
        run(site, port=70_000)


def test_on_the_network_numbers_are_served_but_no_names(tmp_path: Path) -> None:
    """Protects studies for others on the network: numbers cannot be rebound, names can."""
    with background(toy(tmp_path), host="0.0.0.0") as address:
        ask = Client(f"http://127.0.0.1:{address.rstrip('/').rpartition(':')[2]}/")
        assert ask("GET", "/name", Host="192.0.2.7:8000")[0] == 200
        assert ask("GET", "/name", Host="evil.example")[0] == 400
