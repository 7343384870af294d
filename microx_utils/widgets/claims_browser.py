"""The ledger of claims with filters: verdict, place in the paper, notebook, words. Each row leads to its cell."""

import html
import re
from typing import Any

import ipywidgets
import pandas as pd

from microx_utils.course import paper
from microx_utils.course.gallery import STANDINGS, both_values, cell_text, ledger_rows, standing, verdict_text
from microx_utils.course.ledger_plots import COLOURS
from microx_utils.widgets.live import Live, choice
from microx_utils.widgets.shown import Linked

ALL = "all"
NUMBERED = re.compile(r"(Figure|Table)s? (\d+(?:(?:, | and | to )\d+)*)")


def cited(source: str) -> list[str]:
    """Return the figures and tables that a claim's source names.

    >>> cited("section V.C, Figures 3 and 11 to 13"), cited("Tables 5 and 6")
    (['Figure 3', 'Figure 11', 'Figure 12', 'Figure 13'], ['Table 5', 'Table 6'])
    """
    found = []
    for kind, numbers in NUMBERED.findall(source):
        for part in re.split(", | and ", numbers):
            first, _, last = part.partition(" to ")
            found += [f"{kind} {number}" for number in range(int(first), int(last or first) + 1)]
    return found


def places(table: pd.DataFrame) -> list[str]:
    """Return the sections, tables and figures that a ledger's claims come from, each in the paper's order."""
    sections = [f"section {name}" for name in paper.value("sections") if name in set(table["section"])]
    named = {place for source in table["source"] for place in cited(source)}
    return sections + sorted(named, key=lambda place: (place.startswith("Figure"), int(place.split()[1])))


def filter_claims(
    table: pd.DataFrame, *, verdict: str = ALL, place: str = ALL, notebook: str = ALL, words: str = ""
) -> pd.DataFrame:
    """Return the rows of a ledger (`read_ledger`) that fit every filter.

    Parameters
    ----------
    verdict
        One of `gallery.STANDINGS`.
    place
        One of `places`.
    notebook
        A notebook's id.
    words
        Each must stand somewhere in the claim's id, statement, source or note; upper and lower case are alike.
    """
    fits = pd.Series(data=True, index=table.index)
    if verdict != ALL:
        fits &= standing(table) == verdict
    if place != ALL:
        own = "section " + table["section"]
        fits &= (own == place) | table["source"].map(lambda source: place in cited(source))
    if notebook != ALL:
        fits &= table["notebook"] == notebook
    told = table.index.to_series() + " " + table["statement"] + " " + table["source"] + " " + table["note"]
    for word in words.lower().split():
        fits &= told.str.lower().str.contains(word, regex=False)
    return table[fits]


def cell_link(row: dict[str, Any]) -> str:
    """Return a link, relative to the folder of notebooks, to the cell that recorded a claim, as HTML."""
    if row["notebook"] is None:
        return "–"
    target = html.escape(f"{row['notebook']}.ipynb" + (f"#cell-id={row['cell']}" if row["cell"] else ""))
    name = html.escape(" ".join(filter(None, [row["notebook"][:2], row["cell"]])))
    return f'<a href="{target}" style="{_LINK}">{name}</a>'


def claims_html(table: pd.DataFrame, total: int) -> Linked:
    """Return some rows of a ledger as a table that scrolls, after a line that says how many of `total` they are."""
    marks = standing(table)
    lines = []
    for row in ledger_rows(table):
        said, ours = both_values(row)
        qualifiers = [f"n = {cell_text(row['n'])}" if row["n"] else "", row["split"] and f"{row['split']} split"]
        qualifiers += [row["chance"] and f"chance {row['chance']:.1%}", row["data"]]
        verdict = verdict_text(row) + (f". {row['note']}" if row["note"] else "")
        colour = COLOURS[marks[row["claim"]]]
        cells = [
            html.escape(f"{row['statement']} ({row['source']}; {row['kind']})"),
            html.escape(said),
            html.escape(ours),
            html.escape(", ".join(filter(None, qualifiers)) or "–"),
            f'<div style="border-left:6px solid {colour};padding-left:6px">{html.escape(verdict)}</div>',
            cell_link(row),
        ]
        lines.append("<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>")
    head = "".join(
        f'<th scope="col" style="{_CELL};position:sticky;top:0;width:{share}%">{html.escape(text)}</th>'
        for text, share in _HEADS.items()
    )
    return Linked(
        f'<p role="status">{len(table)} of {total} claims</p><div role="region" aria-label="Claims" tabindex="0" '
        f'style="max-height:28em;overflow:auto"><table style="{_TABLE}">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


_LINK = "text-decoration:underline;color:var(--jp-content-link-color, #0b57d0)"
_HEADS = {"claim": 25, "paper": 12, "ours (95 % interval)": 13, "n, split, chance, data": 13, "verdict": 25, "cell": 12}
"""Shares of the table's width, in per cent."""
_TABLE = "table-layout:fixed;width:100%;border-collapse:collapse;font-size:12px;line-height:1.4"
_CELL = "text-align:left;vertical-align:top;padding:4px 8px;white-space:normal;overflow-wrap:anywhere"


def claims_browser(table: pd.DataFrame) -> Live:
    """Return the ledger as a widget with filters.

    Parameters
    ----------
    table
        `ledger.read_ledger`.
    """
    counts = standing(table).value_counts()
    verdicts = [(f"{name} ({counts[name]})", name) for name in STANDINGS if name in counts]
    notebooks = sorted(table["notebook"].dropna().unique())
    controls = {
        "verdict": choice("verdict", [(f"{ALL} ({len(table)})", ALL), *verdicts]),
        "place": choice("in the paper", [ALL, *places(table)]),
        "notebook": choice("notebook", [ALL, *notebooks]),
        "words": ipywidgets.Text(
            description="words", placeholder="such as: mouth", style={"description_width": "auto"}
        ),
    }

    def draw(**filters: str) -> dict[str, Linked]:
        return {"claims": claims_html(filter_claims(table, **filters), len(table))}

    return Live(draw, controls, title="Claims browser", arrange=arrange)


def arrange(controls: Any, views: Any) -> Any:
    """Return the filters in a row that wraps, and the claims below."""
    filters = ipywidgets.HBox(list(controls.values()), layout={"flex_flow": "row wrap"})
    return ipywidgets.VBox([filters, views["claims"]])
