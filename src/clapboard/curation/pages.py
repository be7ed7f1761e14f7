"""The page on which people vote, and what its script calls."""

from collections.abc import Collection
from pathlib import Path

from clapboard.curation.asking import Asking, Desk, Told, voter_key
from clapboard.curation.judging import QUESTIONS, Question
from clapboard.curation.previews import TYPES, BrokenSegmentError, Previews, UnreadableSourceError
from clapboard.curation.project import Project
from clapboard.report.page import words
from clapboard.serving.asked import Asked, Handler, Html, Media, RefusedError
from clapboard.serving.site import Site, page

STATIC = Path(__file__).parent / "static"
KEYS = (
    ("y", "yes, it is there"),
    ("n", "no, it is not"),
    ("u", "undo your last vote, and the one before it if pressed again"),
    ("space", "play it again"),
)
WORDS: dict[Told, str] = {
    "noted": "",
    "noted before": "you have answered this one already, in another window perhaps",
    "not asked": "that was no longer asked of you",
    "answered by others": "others have answered this one in the meantime",
}
_BODY = """
<main id="vote">
<section id="round" hidden>
<p id="question"></p>
<div id="stage"></div>
<p><button id="yes" type="button"><kbd>y</kbd> yes</button>
<button id="no" type="button"><kbd>n</kbd> no</button>
<button id="replay" type="button"><kbd>space</kbd> again</button>
<button id="undo" type="button"><kbd>u</kbd> undo</button></p>
</section>
<section id="wait" hidden><h2>Nothing for you at this moment</h2>
<p>The last questions are with other people, or their files cannot be read now.
This page looks again by itself.</p></section>
<section id="over" hidden><h2>That was all. Thank you!</h2>
<p>There is nothing left for you to answer. You can close this page; <kbd>u</kbd> takes your last vote back.</p>
</section>
<p id="progress"></p>
</main>"""


def site(project: Project, desk: Desk, previews: Previews, *, only: Collection[str] = ()) -> Site:
    """The site of a project; where ``only`` has names, nobody else may vote."""
    keys = {voter_key(name) for name in only}

    def admitted(asked: Asked) -> str:
        if keys and voter_key(asked.name) not in keys:
            raise RefusedError(403, f"{asked.name} is not among those who may vote; give another name under /name")
        return asked.name

    def start(asked: Asked) -> Html:
        admitted(asked)
        return page("Curation", _BODY, scripts=["vote.js"], styles=["vote.css"], keys=KEYS)

    def following(asked: Asked) -> dict[str, object]:
        return _state(desk, admitted(asked))

    def answer(asked: Asked) -> dict[str, object]:
        segment, question = asked.whole("segment"), _question(asked)
        told = desk.answer(admitted(asked), segment, question, asked.choice("answer", ("yes", "no")) == "yes")
        if told == "noted" and not desk.is_open(segment, question):
            previews.drop(segment, question)
        return {"told": WORDS[told], **_state(desk, asked.name)}

    def undo(asked: Asked) -> dict[str, object]:
        back = desk.undo(admitted(asked))
        return {"told": "" if back else "you have no vote to take back", **_state(desk, asked.name)}

    def media(question: Question, asked: Asked) -> Media:
        admitted(asked)
        text = asked.path["segment"]
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
        try:
            path = previews.of(number, question)
        except BrokenSegmentError as error:
            raise RefusedError(410, f"{error}; nobody will be asked about it") from None
        except UnreadableSourceError:
            desk.set_aside(number)
            raise  # its line names the file, for whoever serves
        if path is None:
            raise RefusedError(404, "there is no such segment")
        return Media(path, TYPES[question])

    def seen(asked: Asked) -> Media:
        return media("seen", asked)

    def heard(asked: Asked) -> Media:
        return media("heard", asked)

    settings = project.settings
    greeting = (
        f"<p>You will see or hear pieces of {settings.segment_ms / 1000:g} s, picture and sound apart, and say of each "
        "whether the thing that is named is there. Use headphones if you can. You can stop at any time and go on later "
        f"under the same name; each piece is judged by {words(str(settings.voters))} people. Kept are that name, your "
        "answers, and when you gave them.</p>"
    )
    routes: dict[str, Handler] = {
        "GET /": start,
        "GET /api/next": following,
        "POST /api/answer": answer,
        "POST /api/undo": undo,
        "GET /seen/{segment}": seen,
        "GET /heard/{segment}": heard,
    }
    return Site("curate", "Curation", routes, STATIC, desk.knows, greeting)


def _question(asked: Asked) -> Question:
    """Which of the two questions is meant."""
    said = asked.choice("question", QUESTIONS)
    return "seen" if said == "seen" else "heard"


def _state(desk: Desk, name: str) -> dict[str, object]:
    """What a page shows: the question that is next, the one after, and how far it is."""
    asked = desk.ask(name)
    far = desk.progress(name)
    return {
        "questions": [_row(one) for one in asked],
        "own": far.own,
        "given": far.given,
        "wanted": far.wanted,
        "over": not asked and not desk.left(name),
    }


def _row(one: Asking) -> dict[str, object]:
    """One question for the page."""
    return {"segment": one.segment, "question": one.question, "class": one.class_name}
