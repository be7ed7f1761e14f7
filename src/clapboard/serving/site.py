"""A site: its routes, its own files, and the frame around each of its pages."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clapboard.errors import UsageError
from clapboard.report.page import COLOURS, words
from clapboard.serving.asked import Handler, Html, RefusedError

BASE = Path(__file__).parent / "static"
"""Scripts and style that all pages share, served as ``/base/FILE``."""
MOST_NAME = 40
"""Characters of a name."""
STATIC_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
"""Kinds of files that are served from a folder; others are not."""


@dataclass(frozen=True, slots=True)
class Site:
    """What is served.

    Attributes
    ----------
    name : one word; the cookie with a person's name is called after it
    title : words for people
    routes : by ``"GET /path/{part}"`` or ``"POST /path"``; ``GET /`` is the first page
    static : folder with the site's own scripts and styles; None where it has none
    known : whether a person of this name was here before; None where nobody is asked
    greeting : HTML above the question for a name
    """

    name: str
    title: str
    routes: Mapping[str, Handler]
    static: Path | None = None
    known: Callable[[str], bool] | None = None
    greeting: str = ""

    def __post_init__(self) -> None:
        """Check the routes."""
        for route in self.routes:
            method, _, path = route.partition(" ")
            if method not in ("GET", "POST") or not path.startswith("/"):
                raise UsageError(f"a route is GET or POST and a path, not {route!r}")
        if "GET /" not in self.routes:
            raise UsageError("a site needs the route GET /")


def clean_name(given: str) -> str:
    """The name of a person as it is kept: composed letters, single spaces.

    Raises
    ------
    RefusedError : 400, it is empty, longer than `MOST_NAME`, or has characters that cannot be printed
    """
    name = " ".join(unicodedata.normalize("NFC", given).split())
    if not name or len(name) > MOST_NAME or not name.isprintable():
        raise RefusedError(400, f"give a name of 1 to {MOST_NAME} letters, digits and signs")
    return name


def page(
    title: str,
    body: str,
    *,
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
    keys: Sequence[tuple[str, str]] = (),
) -> Html:
    """A page in the frame that all share.

    Parameters
    ----------
    title : words
    body : HTML; words of others go through `clapboard.report.page.words` first
    scripts, styles : names of files in the site's own folder; scripts are modules
    keys : keys and what they do, shown by ``?``
    """
    own = "".join(f'<link rel="stylesheet" href="/own/{words(name)}">' for name in styles)
    own += "".join(f'<script type="module" src="/own/{words(name)}"></script>' for name in scripts)
    rows = "".join(f"<tr><td><kbd>{words(key)}</kbd></td><td>{words(does)}</td></tr>" for key, does in keys)
    help_ = (
        f'<dialog id="help"><h2>Keys</h2><table>{rows}<tr><td><kbd>?</kbd></td><td>show or hide this</td></tr></table>'
        '<form method="dialog"><button>close</button></form></dialog>'
    )
    hint = '<button id="show-help" type="button">keys: <kbd>?</kbd></button>' if keys else ""
    return Html(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f'<title>{words(title)}</title><link rel="stylesheet" href="/base/base.css">'
        f'<script type="module" src="/base/base.js"></script>{own}</head>\n'
        f'<body><header><h1>{words(title)}</h1>{hint}</header>\n{body}\n<p id="status" role="status"></p>{help_}'
        "</body></html>\n"
    )


def base_css() -> str:
    """The style sheet: the colours of all pages of Clapboard, then what stands in ``base.css``."""
    return COLOURS + (BASE / "base.css").read_text(encoding="utf-8")


def name_page(site: Site) -> Html:
    """The page that asks for a name."""
    body = (
        f'<main>{site.greeting}<form id="name-form"><label>Your name, or any word that is yours alone'
        f'<input id="name" maxlength="{MOST_NAME}" autocomplete="off" autofocus required></label>'
        '<button id="name-go">begin</button></form>'
        '<p id="name-known" hidden>Somebody of this name was here before. '
        '<button id="name-same" type="button">that was me: go on</button></p></main>'
        '<script type="module" src="/base/name.js"></script>'
    )
    return page(site.title, body)
