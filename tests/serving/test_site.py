"""Requests, names and pages, without a server."""

import pytest

from clapboard.errors import UsageError
from clapboard.serving.asked import Asked, Html, RefusedError
from clapboard.serving.site import Site, clean_name, name_page, page


def start(asked: Asked) -> Html:
    return page("T", "")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "n must be a whole number from 0 to 9"),
        ({"n": True}, "whole number"),
        ({"n": 1.0}, "whole number"),
        ({"n": "1"}, "whole number"),
        ({"n": -1}, "whole number"),
        ({"n": 10}, "whole number"),
    ],
)
def test_numbers_are_checked(body: dict[str, object], said: str) -> None:
    """Protects routes from whatever JSON can hold: what is no number from here to there is refused in one line."""
    with pytest.raises(RefusedError, match=said) as refused:
        Asked(body=body).whole("n", 0, 9)
    assert refused.value.status == 400


@pytest.mark.parametrize("value", [None, 3, ["left"], {"left": 1}, "right ", "x" * 300])
def test_words_are_checked(value: object) -> None:
    """Protects routes from other words, and from lists where a word is meant."""
    with pytest.raises(RefusedError, match="one of: left, right"):
        Asked(body={"side": value}).choice("side", ("left", "right"))
    if not isinstance(value, str) or len(value) > 200:
        with pytest.raises(RefusedError, match="at most 200 characters"):
            Asked(body={"side": value}).text("side")


@pytest.mark.parametrize(("given", "kept"), [("  Ada  Love ", "Ada Love"), ("e\u0301", "\xe9"), ("小林", "小林")])
def test_names_are_kept_in_one_form(given: str, kept: str) -> None:
    """Protects resuming: what looks the same is the same."""
    assert clean_name(given) == kept


@pytest.mark.parametrize("given", ["", "   ", "x" * 41, "a\x00b", "a\u202eb", "\ud800"])
def test_names_that_nobody_can_read_are_refused(given: str) -> None:
    """Protects tables and terminals from control characters."""
    with pytest.raises(RefusedError, match="give a name"):
        clean_name(given)


def test_words_of_others_do_not_become_html() -> None:
    """Protects pages: a title is words."""
    shown = page("<b>", "<main></main>", keys=[("<", "&")]).text
    assert "<title>&lt;b&gt;</title>" in shown
    assert "<kbd>&lt;</kbd></td><td>&amp;</td>" in shown
    assert "<b>" not in name_page(Site("t", "<b>", {"GET /": start})).text


@pytest.mark.parametrize(
    "routes", [{}, {"GET /x": start}, {"PUT /": start, "GET /": start}, {"GET /": start, "GET x": start}]
)
def test_routes_are_checked(routes: dict[str, object]) -> None:
    """Protects sites from routes that nobody would reach."""
    with pytest.raises(UsageError, match="route"):
        Site("t", "T", routes)  # type: ignore[arg-type]
