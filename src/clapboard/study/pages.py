"""The pages of a study: one that asks, and what its script calls."""

from pathlib import Path

from clapboard.report.page import words
from clapboard.serving.asked import Asked, Handler, Html, Media
from clapboard.serving.site import Site, page
from clapboard.study import taking
from clapboard.study.store import NEITHER, SIDES, Study

STATIC = Path(__file__).parent / "static"
LONGEST_MS = 10**9
KEYS = (
    ("1 or ←", "choose the first"),
    ("2 or →", "choose the second"),
    ("0", "cannot tell, where that may be said"),
    ("space", "play both, again as often as you like"),
    ("q", "play the first again"),
    ("w", "play the second again"),
    ("s", "leave out what cannot be played"),
)
_BODY = """
<main id="study">
<section id="intro" hidden><h2 id="intro-title"></h2><p id="intro-words"></p>
<button id="intro-go" type="button">begin: <kbd>space</kbd></button></section>
<section id="round" hidden>
<p id="progress"></p><h2 id="question"></h2>
<div id="pair">
<figure><video id="left" playsinline preload="auto" disablepictureinpicture></video>
<button id="choose-left" type="button"><kbd>1</kbd> this one</button></figure>
<figure><video id="right" playsinline preload="auto" disablepictureinpicture></video>
<button id="choose-right" type="button"><kbd>2</kbd> this one</button></figure>
</div>
<p><button id="replay" type="button"><kbd>space</kbd> play both</button>
<button id="choose-neither" type="button"><kbd>0</kbd> cannot tell</button>
<button id="skip" type="button" hidden><kbd>s</kbd> leave this out</button></p>
</section>
<section id="over" hidden><h2>That was all. Thank you!</h2>
<p>You can close this page, or hand it to <a href="/name">somebody else</a>.</p></section>
</main>"""


def site(study: Study, title: str) -> Site:
    """The site of a study."""

    def start(asked: Asked) -> Html:
        return page(title, _BODY, scripts=["study.js"], styles=["study.css"], keys=KEYS)

    def following(asked: Asked) -> dict[str, object]:
        return taking.current(study, asked.name)

    def played(asked: Asked) -> dict[str, object]:
        return taking.played(study, asked.name, asked.whole("round"), asked.choice("side", SIDES))

    def answer(asked: Asked) -> dict[str, object]:
        chosen, after_ms = asked.choice("answer", (*SIDES, NEITHER)), asked.whole("after_ms", most=LONGEST_MS)
        number, question = asked.whole("round"), asked.text("question", 40)
        return taking.answer(study, asked.name, number, question, chosen=chosen, after_ms=after_ms)

    def cannot(asked: Asked) -> dict[str, object]:
        return taking.cannot(study, asked.name, asked.whole("round"))

    def clip(asked: Asked) -> Media:
        return Media(taking.file_of(study, asked.name, asked.path["token"]), "video/mp4")

    greeting = (
        f"<p>{words(title)}: you will see each clip twice, with two sounds, and say which is the original or the "
        "better one. Use headphones if you can. You can stop at any time and go on later under the same name. Kept are "
        "that name, your answers, and when and after how many plays you gave them.</p>"
    )
    routes: dict[str, Handler] = {
        "GET /": start,
        "GET /api/round": following,
        "POST /api/played": played,
        "POST /api/answer": answer,
        "POST /api/cannot": cannot,
        "GET /clip/{token}": clip,
    }
    return Site("study", title, routes, STATIC, lambda name: taking.known(study, name), greeting)
