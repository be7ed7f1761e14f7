"""Pages that people use in their browser, served from this machine: what the study and the curation share.

A page is a `Site`: routes and a folder of its own scripts. A route is a plain function from `Asked` to an answer, so it
is tested without a server. It returns a mapping (sent as JSON), `Html`, or `Media` (a file, with HTTP ranges), and
refuses by raising `RefusedError(status, line)`::

    from clapboard.serving.asked import Asked, Html, Media, RefusedError
    from clapboard.serving.site import Site, page

    def start(asked: Asked) -> Html:                       # GET /
        return page("Votes", "<main id='work'></main>", scripts=["vote.js"], keys=[("1", "it is there")])

    def vote(asked: Asked) -> dict[str, object]:           # POST /api/vote with a JSON object
        segment, answer = asked.whole("segment"), asked.choice("answer", ("yes", "no"))
        with database.write() as db:                       # one transaction, taken at once; a connection of its own
            db.execute("INSERT ...", (asked.name, segment, answer))
        return {"next": segment + 1}

    def clip(asked: Asked) -> Media:                       # GET /clip/{token}
        return Media(folder / found_by(asked.path["token"]), "video/mp4")

    routes = {"GET /": start, "POST /api/vote": vote, "GET /clip/{token}": clip}
    site = Site("curate", "Curation", routes, static=folder_of_scripts)

    from clapboard.serving.web import run                  # MissingExtraError (exit 5) without the extra [serve]
    run(site, port=8000)                                   # until Ctrl-C, which is its regular end: it returns

- `asked.name` is what the person calls themselves, kept in the cookie ``clapboard-<site name>``. Without a name pages
  lead to ``/name``, which asks for it, and other routes answer 401. `Site.known` tells whether somebody of that name
  was here before: the page then asks whether it is the same person.
- Files of `Site.static` are served as ``/own/FILE``. Scripts are modules and may ``import {api, keys, say, play} from
  "/base/base.js"``; see there. Nothing else is loaded: the Content-Security-Policy is ``'self'``, so there are neither
  inline scripts nor inline styles.
- Errors are JSON ``{"error": "one line"}``; errors of Clapboard that a route raises become one too.
- `clapboard.serving.database.Database`: SQLite with WAL, a kind and a schema version; foreign files are refused.
- Tests serve with ``clapboard.serving.web.background(site)``, which yields the address.
- Only `clapboard.serving.web` needs the extra ``[serve]``, and nobody else imports Starlette or uvicorn.
"""
