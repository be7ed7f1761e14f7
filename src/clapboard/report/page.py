"""What pages of HTML share: one file that needs nothing else, light and dark, without scripts."""

from collections.abc import Sequence
from html import escape

from clapboard.report.printable import shown

COLOURS = """
:root { color-scheme: light dark; --paper: #fcfcfb; --ink: #1d1d1b; --soft: #5f5e5a; --grid: #e4e3de; --rule: #b9b8b2;
  --s0: #1f66c1; --s1: #c2540a; --s2: #12805c; --s3: #8a3fb0; --s4: #a8821a; }
@media (prefers-color-scheme: dark) { :root { --paper: #1a1a19; --ink: #ecebe6; --soft: #a9a8a1; --grid: #333230;
  --rule: #5f5e5a; --s0: #6aa5f0; --s1: #f0955a; --s2: #4cc49a; --s3: #c58ae6; --s4: #dcb94f; } }
"""
MARKS = """
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
svg .label { font-size: 12px; fill: var(--ink); } .grid { stroke: var(--grid); } .axis { stroke: var(--rule); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; } .dashed { stroke-dasharray: 5 4; }
.band { opacity: .16; stroke: none; } .dot { stroke: var(--paper); stroke-width: 1; }
.line.series-0 { stroke: var(--s0); } .line.series-1 { stroke: var(--s1); } .line.series-2 { stroke: var(--s2); }
.line.series-3 { stroke: var(--s3); } .line.series-4 { stroke: var(--s4); }
.line.quiet { stroke: var(--rule); stroke-width: 1.5; }
.dot.series-0, .bar.series-0, .band.series-0 { fill: var(--s0); } .dot.series-1, .bar.series-1 { fill: var(--s1); }
.dot.series-2, .bar.series-2, .band.series-2 { fill: var(--s2); }
.dot.series-3 { fill: var(--s3); } .dot.series-4 { fill: var(--s4); }
.dot.quiet, .band.quiet { fill: var(--rule); } .half { fill-opacity: .55; }
"""
STYLE = f"""{COLOURS}
body {{ margin: 0 auto; padding: 1.5rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.5rem; margin: 0 0 .5rem; }} h2 {{ font-size: 1.1rem; margin: 2.2rem 0 .3rem; }}
p {{ margin: .2rem 0 .6rem; color: var(--soft); max-width: 52rem; overflow-wrap: anywhere; }}
figure {{ margin: 0; flex: 0 1 auto; width: min-content; min-width: min(100%, 20rem); }}
figcaption {{ color: var(--soft); font-size: .87rem; }}
.plots {{ display: flex; flex-wrap: wrap; gap: 1rem 2rem; margin: .6rem 0 1rem; }}
.wide {{ overflow-x: auto; }} table {{ border-collapse: collapse; font-size: .87rem;
  font-variant-numeric: tabular-nums; }}
th, td {{ padding: .2rem 0 .2rem .9rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); }}
th {{ color: var(--soft); font-weight: 600; border-bottom-color: var(--rule); vertical-align: bottom; }}
th.words {{ white-space: normal; }} td:first-child, th:first-child {{ text-align: left; white-space: pre;
  padding-left: 0; }}
.key {{ display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; margin: .2rem 0; list-style: none;
  font-size: .87rem; }}
.key svg {{ width: 1.6rem; height: .7rem; margin-right: .35rem; vertical-align: middle; }}
svg.plot {{ max-width: calc(100vw - 3rem); height: auto; }}
{MARKS}"""
"""The style sheet of pages; `COLOURS` and `MARKS` are what a drawing needs that stands alone."""


def words(text: str) -> str:
    """Words that may stand in a page, whatever a file is called."""
    return escape(shown(text))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """One table."""
    names = "".join(f'<th class="words">{words(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{words(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>'


def figure(drawing: str, caption: str, key: Sequence[tuple[str, str]] = ()) -> str:
    """A drawing with its caption, and the names of its lines: pairs of class and name."""
    sample = '<svg viewBox="0 0 26 10"><line class="line {kind}" x1="1" x2="25" y1="5" y2="5"/></svg>'
    names = "".join(f"<li>{sample.format(kind=kind)}{words(name)}</li>" for kind, name in key)
    return f'<figure>{drawing}<ul class="key">{names}</ul><figcaption>{words(caption)}</figcaption></figure>'


def document(title: str, body: Sequence[str], style: str = STYLE) -> str:
    """The whole page; ``title`` are words, ``body`` pieces of HTML."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{words(title)}</title><style>{style}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(body) + "\n</body></html>\n"
