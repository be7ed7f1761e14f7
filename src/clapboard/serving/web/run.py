"""Run a site until it is ended."""

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator

import uvicorn

from clapboard.errors import MediaError, UsageError
from clapboard.serving.site import Site
from clapboard.serving.web.app import build

HOST = "127.0.0.1"
PORT = 8000
LOCAL = ("127.0.0.1", "localhost")
AT_ONCE = 200
"""Connections at most; more are told to come again."""
END_S = 2.0
"""How long an answer that is under way may take at the end."""
START_S = 30.0


def run(site: Site, *, host: str = HOST, port: int = PORT, tell: Callable[[str], None] = print) -> None:
    """Serve until Ctrl-C, which is the regular end; a signal that ends the process goes on upwards.

    Parameters
    ----------
    site : what is served
    host : address to listen at; by default nobody outside this machine can reach it
    port : 0 takes a free one
    tell : is given the lines for the person who started it, the address first

    Raises
    ------
    UsageError : the port is taken or not allowed, or there is no such address
    """
    opened = listen(host, port)
    address = address_of(opened)
    server = _server(site, host)
    tell(f"{site.title}: {address}")
    if not _is_local(host):
        tell("there is no password: everybody who reaches this address can open it")
    tell("Ctrl-C ends it; what was answered is kept")
    try:
        server.run(sockets=[opened])
    except KeyboardInterrupt as stop:
        if type(stop) is not KeyboardInterrupt:  # SIGTERM and SIGHUP, as the command line raises them
            stop.add_note("what was answered is kept")
            raise
    finally:
        opened.close()


@contextlib.contextmanager
def background(site: Site, *, host: str = HOST, port: int = 0) -> Iterator[str]:
    """Serve in a thread while the body runs; yields the address.

    Raises
    ------
    UsageError : as in `run`
    MediaError : it does not start
    """
    opened = listen(host, port)
    server = _server(site, host)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
    address = address_of(opened)
    thread.start()
    try:
        waited_s = 0.0
        while not server.started:
            if waited_s > START_S or not thread.is_alive():
                raise MediaError("the server did not start")
            time.sleep(0.01)
            waited_s += 0.01
        yield address
    finally:
        server.should_exit = True
        thread.join()
        opened.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that waits for connections.

    Raises
    ------
    UsageError : the port is taken or not allowed, or there is no such address
    """
    if not 0 <= port <= 65_535:
        raise UsageError(f"a port is a number from 0 to 65535, not {port}")
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise UsageError(f"{host}: is no address of this machine ({error.strerror}); leave --host out") from error
    opened = socket.socket(family, kind)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(where)
        opened.listen(128)
    except OSError as error:
        opened.close()
        raise UsageError(f"port {port} of {host} cannot be used ({error.strerror}); give another --port") from error
    return opened


def address_of(opened: socket.socket) -> str:
    """What people type into their browser."""
    host, port = opened.getsockname()[:2]
    everywhere = ipaddress.ip_address(host).is_unspecified
    name = socket.gethostname() if everywhere else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/"


def _is_local(host: str) -> bool:
    """Whether nobody outside this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _server(site: Site, host: str) -> uvicorn.Server:
    """Uvicorn with all that is not needed turned off."""
    local = _is_local(host)
    hosts = (*LOCAL, "::1") if local else (*LOCAL, "::1", host, socket.gethostname())
    return uvicorn.Server(
        uvicorn.Config(
            build(site, hosts, numbers=not local),
            loop="asyncio", http="h11", ws="none", lifespan="off",
            log_config=None, log_level="critical", access_log=False, server_header=False, date_header=False,
            proxy_headers=False, limit_concurrency=AT_ONCE, timeout_graceful_shutdown=round(END_S),
        )
    )  # fmt: skip
