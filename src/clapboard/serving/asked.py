"""What a page is asked, and what it answers: plain values, without a server."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clapboard.errors import ClapboardError

LARGEST_WHOLE = 2**53
"""Whole numbers beyond are not exact in a browser."""


class RefusedError(ClapboardError):
    """A page does not do what it is asked; ``status`` is that of HTTP, the message is one line for people."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Attributes
    ----------
    path : the named parts of the route, such as ``token`` of ``/clip/{token}``
    query : what stands behind ``?``, the last of each name
    body : the JSON object of a POST; empty for a GET
    name : what the person calls themselves; empty where nobody has asked
    """

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def text(self, key: str, most: int = 200) -> str:
        """Text from the body.

        Raises
        ------
        RefusedError : 400, it is not there, no text, or longer than ``most`` characters
        """
        value = self.body.get(key)
        if not isinstance(value, str) or len(value) > most:
            raise RefusedError(400, f"{key} must be text of at most {most} characters")
        return value

    def whole(self, key: str, least: int = 0, most: int = LARGEST_WHOLE) -> int:
        """A whole number from the body, ``least`` to ``most``.

        Raises
        ------
        RefusedError : 400, it is not there, no whole number, or beyond these
        """
        value = self.body.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise RefusedError(400, f"{key} must be a whole number from {least} to {most}")
        return value

    def choice(self, key: str, among: Sequence[str]) -> str:
        """One of some words from the body.

        Raises
        ------
        RefusedError : 400, it is none of them
        """
        value = self.body.get(key)
        if value not in tuple(among):
            raise RefusedError(400, f"{key} must be one of: {', '.join(among)}")
        return str(value)


@dataclass(frozen=True, slots=True)
class Html:
    """A page of HTML; `clapboard.serving.site.page` makes them."""

    text: str


@dataclass(frozen=True, slots=True)
class Media:
    """A file to be played, sent with HTTP ranges so that players can seek; its name and its date are not told."""

    file: Path
    content_type: str


Answer = Mapping[str, Any] | Html | Media
Handler = Callable[[Asked], Answer]
