# SPDX-License-Identifier: MIT
"""HTML of the report: text, tables, figures, the look of it all. Nothing is loaded from outside."""
import html

STYLE = """
:root { --ink: #1f2933; --soft: #5f6b7a; --line: #d9dee5; --tint: #f5f7fa; --mark: #00795a }
* { box-sizing: border-box }
body { font: 16px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: var(--ink);
  max-width: 72rem; margin: 0 auto; padding: 2rem 1.5rem 5rem; background: #fff }
h1 { font-size: 2rem; line-height: 1.15; margin: 0 0 .3rem }
h2 { font-size: 1.4rem; line-height: 1.25; margin: 3.5rem 0 .5rem; padding-top: 1rem;
  border-top: 3px solid var(--ink) }
h3 { font-size: 1.05rem; margin: 2.2rem 0 .4rem }
p, li { max-width: 52rem } .lead, .meta { color: var(--soft) } .meta { font-size: .85rem }
.wide { overflow-x: auto; margin: .8rem 0 1.2rem }
.tall { max-height: 22rem; overflow-y: auto }
table { border-collapse: collapse; font-size: .84rem; line-height: 1.35; width: 100% }
th { text-align: left; color: var(--soft); font-weight: 600; border-bottom: 2px solid var(--line);
  vertical-align: bottom }
td, th { padding: .35rem .6rem } td { border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
tr.ours td { background: #e9f6f1; font-weight: 600 }
figure { margin: 1.2rem 0; padding: 1rem; border: 1px solid var(--line); border-radius: 6px }
figure svg { display: block; width: 100%; height: auto }
figcaption { color: var(--soft); font-size: .85rem; margin-top: .6rem }
.key { margin: 0 0 .5rem; font-size: .8rem; max-width: none; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem }
.key span { white-space: nowrap } .key i { display: inline-block; width: .8em; height: .8em; margin-right: .4em;
  border-radius: 2px; vertical-align: -.05em }
.pair { display: grid; gap: 1rem; grid-template-columns: 1fr 1fr }
.pair figure { margin: 0 }
.range { white-space: nowrap }
.scale { display: inline-block; width: 9rem; height: .7rem; border-radius: 2px; margin: 0 .5rem;
  background: linear-gradient(90deg, #cdd2d7, #f0c83c 50%, #c81e1e) }
.short { color: #b00020; font-weight: 600 } td.short { white-space: nowrap }
.found { background: var(--tint); border-left: 5px solid var(--mark); padding: .7rem 1.2rem }
.found li { margin: .25rem 0 } .found b { font-variant-numeric: tabular-nums }
@media (max-width: 48rem) { .pair { grid-template-columns: 1fr } }
@media print { h2 { break-before: page } figure, tr { break-inside: avoid } }
"""


def text(value):
    return html.escape(str(value))


def number(value):
    """Three digits that matter, and none of an exponent."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def is_number(value):
    return isinstance(value, (int, float))


def table(head, rows, ours=None, is_tall=False):
    """ours: the rows with this text in any cell stand out."""
    rows = [list(row) for row in rows]
    right = [any(is_number(row[i]) for row in rows) for i in range(len(head))]

    def cell(value, i):
        kind = ' class="n"' if right[i] else ' class="short"' if value == "falls short" else ""
        return f"<td{kind}>{number(value) if is_number(value) else text(value)}</td>"

    lines = ["<tr>" + "".join(f'<th{" class=n" if right[i] else ""}>{text(name)}</th>'
                              for i, name in enumerate(head)) + "</tr>"]
    for row in rows:
        kind = ' class="ours"' if ours is not None and ours in row else ""
        lines.append(f"<tr{kind}>" + "".join(cell(v, i) for i, v in enumerate(row)) + "</tr>")
    return f'<div class="wide{" tall" * is_tall}"><table>{"".join(lines)}</table></div>'


def figure(picture, caption, extra=""):
    return f"<figure>{picture}<figcaption>{text(caption)}{extra}</figcaption></figure>"


def keys(colours):
    """What each colour is; {text: colour}."""
    return '<p class="key">' + "".join(f'<span><i style="background:{colour}"></i>{text(name)}</span>'
                                       for name, colour in colours.items()) + "</p>"


def items(lines):
    return "<ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>"


def document(title, parts):
    return ('<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{text(title)}</title><style>{STYLE}</style>" + "".join(parts) + "</html>\n")
