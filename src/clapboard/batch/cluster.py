"""Being a driver of a Ray cluster for a while, quietly, and leaving nothing behind."""

import contextlib
import importlib.util
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from clapboard.errors import EXIT_MEDIA, ClapboardError, MissingExtraError, UsageError

LOCAL: Final = "local"
"""Address of a Ray that is started on this machine for the run, and ended with it."""
AUTO: Final = "auto"
"""Address of the Ray that runs on this machine already."""
ANSWER_S: Final = 10.0
"""How long an address may take to answer (s)."""
LOOK_EVERY_S: Final = 5.0
"""How often it is seen whether the head of a cluster is still there (s)."""
LOST_AFTER_S: Final = 30.0
"""So long may it not answer (s); after 60 s Ray ends the process without a word."""
STORE_BYTES: Final = 100_000_000
"""Object store of a local Ray: pickled jobs and results are small."""
_SOCKET_CHARS: Final = 40
"""Longest path of a temporary folder below which Ray's sockets keep within the limit of Unix (107 characters)."""
_SETTINGS: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what a lost node means is said in our words
    "RAY_NUM_REDIS_GET_RETRIES": "1",  # 40 s until a port that is not Ray's is given up, else a quarter of an hour
}
_DEBUG: Final = os.environ.get("CLAPBOARD_DEBUG", "") not in ("", "0")


def require(address: str) -> None:
    """See that ray is installed, and that somebody listens at an address, before anything is begun.

    Raises
    ------
    MissingExtraError, UsageError, ClapboardError : as `work`
    """
    if not _installed():
        raise MissingExtraError("--ray needs Ray Data: pip install 'clapboard[scale]'")
    if address not in (LOCAL, AUTO):
        _require_answer(address)


@contextlib.contextmanager
def connected(address: str, processes: int | None) -> Iterator[Any]:
    """Be a driver of the cluster as long as the body runs, and leave nothing behind: no process, folder or setting.

    It yields the module ray, which is imported only here: it reads the environment when it is.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_settings(local=address == LOCAL))
        import ray

        if ray.is_initialized():
            raise UsageError("this program uses Ray already: give its data sets a clapboard.batch.scorer.Scorer")
        options: dict[str, Any] = {}
        if address == LOCAL:
            folder = _folder()
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            options = {"num_cpus": processes, "object_store_memory": STORE_BYTES, "_temp_dir": str(folder)}
            options |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}  # nobody else can reach it
        if not _DEBUG:
            stack.enter_context(_quiet())
        stack.callback(_leave, ray)
        with _signals_kept(), contextlib.nullcontext() if _DEBUG else _muted_stderr():
            try:
                ray.init(address=address, log_to_driver=_DEBUG, logging_level=logging.CRITICAL, **options)
            except Exception as error:  # of many kinds: ValueError, ConnectionError, RuntimeError
                raise ClapboardError(f"no connection to Ray at {address}: {line_of(error)}") from error
        if address != LOCAL:
            stack.enter_context(_watched(ray.get_runtime_context().gcs_address))
        yield ray


def _installed() -> bool:
    """Whether ray is there, with what its data sets need."""
    try:
        return all(importlib.util.find_spec(name) for name in ("ray", "pandas", "pyarrow"))
    except ValueError:  # somebody has put None in its place
        return False


def _require_answer(address: str) -> None:
    """See that somebody listens at an address: Ray itself would try for many minutes."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise UsageError(
            f"--ray {address} is no address of a cluster; give HOST:PORT as ray start shows it, "
            f"{AUTO} for the one that runs on this machine, or {LOCAL}"
        )
    try:
        _reach(address)
    except (OSError, OverflowError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ClapboardError(
            f"no Ray cluster answers at {address} ({why}); start one with ray start --head, or use --ray {LOCAL}"
        ) from error


@contextlib.contextmanager
def _watched(head: str) -> Iterator[None]:
    """End the process with a word when the head of the cluster is lost; Ray would end it soon after, and without."""
    over = threading.Event()

    def watch() -> None:
        answered_s = time.monotonic()
        while not over.wait(LOOK_EVERY_S):
            try:
                _reach(head)
                answered_s = time.monotonic()
            except OSError:
                if time.monotonic() - answered_s < LOST_AFTER_S:
                    continue
                print(
                    f"clapboard: the Ray cluster does not answer at {head} any more; "
                    "what is finished is kept: give the same command again to go on",
                    file=sys.stderr,
                    flush=True,
                )
                os._exit(EXIT_MEDIA)

    threading.Thread(target=watch, name="clapboard-watch", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _reach(address: str) -> None:
    """Open and close a connection.

    Raises
    ------
    OSError : nobody takes it
    """
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()


def _folder() -> Path:
    """A fresh folder for a local Ray, whose path is short enough for the sockets in it."""
    usual = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="clapboard-", dir=usual if len(usual) < _SOCKET_CHARS else "/tmp"))


@contextlib.contextmanager
def _settings(*, local: bool) -> Iterator[None]:
    """Set what Ray reads from the environment, but for what somebody has set; what Ray sets there goes again."""
    before, ours = dict(os.environ), dict(_SETTINGS)
    if (
        local and "ray" not in sys.modules
    ):  # a password of its own: Ray would make one and keep it in the home directory
        ours |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex()}
    os.environ.update(ours if local else {name: value for name, value in ours.items() if name not in before})
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


class _WithoutRay:
    """A stream that takes nothing from Ray's threads: they print what its daemons say, and have no switch for it."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write, unless it is Ray who does."""
        return len(text) if threading.current_thread().name.startswith("ray") else int(self.stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Ray says from the terminal, where results go: what of it matters is told in our words."""
    import ray.data

    context = ray.data.DataContext.get_current()
    logger = logging.getLogger("ray.data")
    before = context.enable_progress_bars, logger.level
    context.enable_progress_bars = False
    logger.setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(_WithoutRay(sys.stdout)):
            yield
    finally:
        context.enable_progress_bars, level = before
        logger.setLevel(level)


def _leave(ray: Any) -> None:
    """Leave the cluster; what Ray has not said yet it would say now."""
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
        ray.shutdown()


@contextlib.contextmanager
def _muted_stderr() -> Iterator[None]:
    """Keep what Ray's libraries write past Python from the terminal, while they look for a cluster."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Give signals back to those who handled them: a driver of Ray takes SIGTERM for itself."""
    here = threading.current_thread() is threading.main_thread()  # nobody else may set handlers
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if here and before is not None:
            signal.signal(signal.SIGTERM, before)


def line_of(error: BaseException | None) -> str:
    """What an error says, in one line: of Ray's, the last line is that which tells."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
