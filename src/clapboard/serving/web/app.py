"""A site as an ASGI application."""

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from clapboard.errors import ClapboardError, UsageError
from clapboard.report.page import words
from clapboard.report.plain import text as plain
from clapboard.report.printable import shown
from clapboard.serving.asked import Answer, Asked, Handler, Html, Media, RefusedError
from clapboard.serving.database import BusyError
from clapboard.serving.site import BASE, STATIC_TYPES, Site, base_css, clean_name, name_page, page
from clapboard.serving.web.guard import Guard

MOST_BODY = 65_536
"""Bytes of a request: an answer is some hundred."""
BODY_S = 20.0
"""How long a request may take to arrive."""
COOKIE_DAYS = 90
NO_DATE = "Thu, 01 Jan 1970 00:00:00 GMT"
"""Date of every file that is sent: the true one tells which was made last."""

Endpoint = Callable[[Request], Awaitable[Response]]


def build(site: Site, hosts: Iterable[str] = ("127.0.0.1", "localhost"), *, numbers: bool = False) -> ASGIApp:
    """Make the application.

    Parameters
    ----------
    site : what is served
    hosts : names under which it may be asked for
    numbers : whether any IP address may be one of them
    """
    routes = [Route(path, _endpoint(site, method, handler), methods=[method]) for (method, path), handler in _own(site)]
    app = Router([*routes, *_shared(site)], redirect_slashes=False, default=_nothing_here)
    return Guard(_Errors(app), hosts, numbers=numbers)


def _own(site: Site) -> list[tuple[tuple[str, str], Handler]]:
    """The routes of the site by method and path."""
    found = []
    for route, handler in site.routes.items():
        method, _, path = route.partition(" ")
        found.append(((method, path), handler))
    return found


def _endpoint(site: Site, method: str, handler: Handler) -> Endpoint:
    """One route: read the request, call the function in a thread of its own, send what it gives."""

    async def run(request: Request) -> Response:
        name = _name_in(site, request)
        if not name:
            if method == "GET" and "text/html" in request.headers.get("accept", ""):
                return RedirectResponse("/name", 303)
            raise RefusedError(401, "give your name first, on the first page")
        body = await _body(request) if method == "POST" else {}
        asked = Asked({**request.path_params}, {**request.query_params}, body, name)
        return _sent(await run_in_threadpool(handler, asked))

    return run


def _shared(site: Site) -> list[Route]:
    """The routes that every site has: names, and files."""

    async def ask_name(request: Request) -> Response:
        return HTMLResponse(name_page(site).text)

    async def take_name(request: Request) -> Response:
        asked = Asked(body=await _body(request))
        name = clean_name(asked.text("name", 1000))
        before = _name_in(site, request) == name or asked.body.get("same") is True
        if not before and site.known is not None and await run_in_threadpool(site.known, name):
            return JSONResponse({"known": True})
        reply = JSONResponse({"known": False, "name": name})
        reply.set_cookie(_cookie(site), quote(name), COOKIE_DAYS * 86_400, httponly=True, samesite="strict")
        return reply

    async def base(request: Request) -> Response:
        if request.path_params["file"] == "base.css":
            return Response(base_css(), media_type="text/css")
        return _static(BASE, request.path_params["file"])

    async def own(request: Request) -> Response:
        if site.static is None:
            raise RefusedError(404, "there is nothing here")
        return _static(site.static, request.path_params["file"])

    return [
        Route("/name", ask_name, methods=["GET"]),
        Route("/name", take_name, methods=["POST"]),
        Route("/base/{file}", base, methods=["GET"]),
        Route("/own/{file}", own, methods=["GET"]),
    ]


def _cookie(site: Site) -> str:
    """Browsers give cookies to every port of a machine, so each site has a cookie of its own."""
    return f"clapboard-{site.name}"


def _name_in(site: Site, request: Request) -> str:
    """The name in the cookie; empty where there is none, or not one that could have been given."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(request.headers.get("cookie", ""))
        found = unquote(jar[_cookie(site)].value, errors="strict")
        return found if clean_name(found) == found else ""
    except (CookieError, KeyError, UnicodeDecodeError, RefusedError):
        return ""


def _static(folder: Path, name: str) -> Response:
    """A script or style of a folder; nothing else in it, and nothing outside."""
    file = folder / name
    if file.suffix not in STATIC_TYPES or name not in {path.name for path in folder.iterdir()} or not file.is_file():
        raise RefusedError(404, "there is nothing here")
    return Response(file.read_bytes(), media_type=STATIC_TYPES[file.suffix])


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent.

    A form of another page cannot send JSON, so the kind is required; the length is counted, since it may be wrong.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(415, "send JSON, as Content-Type application/json")
    too_long = RefusedError(413, f"that is too long: at most {MOST_BODY} bytes")
    told = request.headers.get("content-length", "0")
    if not told.isascii() or not told.isdigit() or int(told[:20]) > MOST_BODY:
        raise too_long
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.stream():
                data += piece
                if len(data) > MOST_BODY:
                    raise too_long
    except TimeoutError:
        raise RefusedError(408, "the request did not arrive in time") from None
    try:
        found = json.loads(bytes(data))
    except (ValueError, RecursionError):  # nested a thousand times
        raise RefusedError(400, "that is no JSON") from None
    if not isinstance(found, dict):
        raise RefusedError(400, "send a JSON object")
    return found


def _sent(answer: Answer) -> Response:
    """What a function gave, as a response."""
    if isinstance(answer, Html):
        return HTMLResponse(answer.text)
    if isinstance(answer, Media):
        if not answer.file.is_file():
            raise RefusedError(404, "this file is gone from the disk")
        same_for_all = {"last-modified": NO_DATE, "etag": '"0"'}
        return FileResponse(answer.file, media_type=answer.content_type, headers=same_for_all)
    return JSONResponse(answer)


async def _nothing_here(scope: Any, receive: Any, send: Any) -> None:
    raise RefusedError(404, "there is nothing here")


class _Errors:
    """Whatever goes wrong becomes one line: JSON for scripts, a page for people."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        begun = False
        scope["app"] = self  # so that Starlette raises what is wrong with a method, and does not answer it itself

        async def sent(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, sent)
        except ClientDisconnect:
            return
        except Exception as error:
            status, line = _in_words(error)
            if status >= 500:
                _tell(error)
            if begun:  # in the middle of a file: all that is left is to stop
                raise
            await _complaint(Request(scope), status, line)(scope, receive, send)


def _in_words(error: Exception) -> tuple[int, str]:
    """Status and line for an error."""
    if isinstance(error, RefusedError):
        return error.status, str(error)
    if isinstance(error, HTTPException):
        return error.status_code, "that cannot be done here" if error.status_code == 405 else error.detail
    if isinstance(error, BusyError):
        return 503, "the answers are being written by somebody else; try again"
    if isinstance(error, UsageError):
        return 400, plain(str(error))
    if isinstance(error, ClapboardError):  # its line names paths, which are for who serves, not for who takes part
        return 500, "that cannot be done now; please tell whoever started this page"
    return 500, f"a defect of Clapboard, {type(error).__name__}; please tell whoever started this page"


def _complaint(request: Request, status: int, line: str) -> Response:
    """The line, for whoever asked."""
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        body = f'<main><p>{words(line)}</p><p><a href="/">first page</a></p></main>'
        return HTMLResponse(page("Clapboard", body).text, status)
    return JSONResponse({"error": line}, status)


def _tell(error: Exception) -> None:
    """Say it where the server was started."""
    if os.environ.get("CLAPBOARD_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error, file=sys.stderr)
    what = " ".join(str(error).split())
    if not isinstance(error, ClapboardError):
        what = f"a defect of Clapboard, {type(error).__name__}: {what}; CLAPBOARD_DEBUG=1 shows where"
    print(f"clapboard: {shown(what)}", file=sys.stderr, flush=True)
