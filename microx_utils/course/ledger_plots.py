"""Tables and charts of the ledger: its rows, claims by verdict, and the paper's scores drawn apart from ours."""

import re
import textwrap
from collections.abc import Mapping
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from microx_utils.course import ledger
from microx_utils.course.claims import VERDICTS
from microx_utils.course.gallery import (
    STANDINGS,
    both_values,
    cell_text,
    ledger_rows,
    origin_text,
    standing,
    verdict_text,
)
from microx_utils.labels import CHANCE
from microx_utils.plots.style import (
    HELD_OUT_COLOUR,
    MUTED,
    RULE,
    WIDTH,
    draw_chance,
    ink_on,
    write_beside,
    write_head,
    write_percent,
)

HATCHES = {ledger.STALE: "xxxx", ledger.NOT_RUN: "////", ledger.NO_NOTEBOOK: "...."}

_PALETTE = ("#117733", "#cc6677", "#999933", "#c9cdd2", "#882255", "#88ccee", "#332288", "#ddcc77")
COLOURS = dict(zip(VERDICTS, _PALETTE, strict=True)) | dict.fromkeys(HATCHES, "#ffffff")
"""Paul Tol's muted palette; claims without a verdict are white and told apart by their hatching."""


def readable(table: pd.DataFrame, caption: str = "") -> Styler:
    """Return a table of long texts for display: wrapped, aligned left, without its index."""
    cells = "text-align: left; vertical-align: top; white-space: normal; padding: 3px 8px"
    head = "text-align: left; font-weight: bold; font-size: 110%; padding: 8px"
    styles = [{"selector": "td, th", "props": cells}, {"selector": "caption", "props": head}]
    return table.style.hide().set_table_styles(styles).set_caption(caption)  # type: ignore[arg-type]


def claims_table(rows: pd.DataFrame, caption: str = "") -> Styler:
    """Return rows of `ledger.read_ledger` for display; a verdict is marked in its colour of `draw_verdicts`."""
    lines = [
        {
            "claim": f"{row['statement']} ({row['source']}; {row['kind']} {row['claim']})",
            "paper": both_values(row)[0],
            "ours (95 % interval)": both_values(row)[1],
            "n": cell_text(row["n"]),
            "split, data": " · ".join(row[key] for key in ("split", "data") if row[key]) or "–",
            "verdict": verdict_text(row) + (f". {row['note']}" if row["note"] else ""),
            "from": origin_text(row),
        }
        for row in ledger_rows(rows)
    ]
    marks = [f"border-left: 6px solid {COLOURS[name]}" for name in standing(rows)]
    table = readable(pd.DataFrame(lines), caption).apply(lambda _: marks, subset=["verdict"])
    return table.set_properties(subset=["claim", "verdict"], width="24em")


def draw_verdicts(table: pd.DataFrame, titles: Mapping[str, str], *, title: str, caption: str = "") -> Figure:
    """Draw one bar per section of the paper, stacked by verdict, with the counts written in.

    Parameters
    ----------
    table
        `ledger.read_ledger`.
    titles
        Section -> its heading, in the paper's order.
    """
    counts = pd.crosstab(table["section"], standing(table))
    counts = counts.reindex([section for section in titles if section in counts.index])
    names = [name for name in STANDINGS if name in counts]
    labels = [titles[section] if section == "abstract" else f"{section}  {titles[section]}" for section in counts.index]
    counts.index = pd.Index([textwrap.shorten(label, 44, placeholder=" ...") for label in labels])
    fig, ax = plt.subplots(figsize=(WIDTH, 1.9 + 0.27 * len(counts)))
    counts[names].plot.barh(
        stacked=True, ax=ax, width=0.72, lw=0.6, color=[COLOURS[name] for name in names], legend=False
    )
    for name, bars in zip(names, ax.containers, strict=True):
        assert isinstance(bars, BarContainer)
        hatch, ink = HATCHES.get(name), ink_on(to_rgb(COLOURS[name]))
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8} if hatch else None
        said = [str(n) if n else "" for n in counts[name]]
        ax.bar_label(bars, said, label_type="center", fontsize=7.5, color=ink, bbox=box)
        for bar in bars:
            bar.set(hatch=hatch, edgecolor=MUTED if hatch else "white")
            if not bar.get_width():  # its edge would show
                bar.remove()
    ax.set(xlim=(0, counts.sum(axis=1).max() + 0.3), ylim=(len(counts) - 0.4, -0.6), xlabel="claims", ylabel="")
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    fig.legend(loc="outside lower left", ncols=2, fontsize=7.5)
    write_head(fig, title, caption)
    return fig


def draw_scores(scores: pd.DataFrame, *, title: str, caption: str = "", data: str) -> Figure:
    """Draw the scores of a ledger, one per row: left the paper's value, right ours with its interval, on its own axis.

    Parameters
    ----------
    scores
        Rows of `ledger.read_ledger` of kind "score". Those without a value are named and left empty on the right.
    data
        What ours were measured on, for the heading of the right panel.
    """
    rows = scores.to_dict("records")
    fig, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 1.5 + 0.33 * len(rows)), sharey=True, width_ratios=(1, 1.5))
    left.plot(scores["paper"], range(len(rows)), "D", ms=5, color="white", mec=MUTED, mew=1.3)
    for y, row in enumerate(rows):
        write_beside(left, f"{100 * row['paper']:.1f} %", (row["paper"], y), fontsize=7)
        if row["status"] not in (ledger.RECORDED, ledger.STALE):
            right.text(0.02, y, row["status"], va="center", fontsize=7, color=MUTED)
            continue
        low, high = row["interval"] or (row["ours"], row["ours"])  # none where one person was tested
        right.hlines(y, low, high, color=HELD_OUT_COLOUR, lw=2.2)
        hollow = row["status"] == ledger.STALE
        right.plot(row["ours"], y, "o", ms=5.5, color="white" if hollow else HELD_OUT_COLOUR, mec=HELD_OUT_COLOUR)
        said = f"{100 * row['ours']:.1f} %  (n = {row['n']:,}, {row['split']})" + (" stale" if hollow else "")
        write_beside(right, said, (high, y), fontsize=7)
    cited = [_cited(row["source"]) for row in rows]
    for ax in (left, right):
        draw_chance(ax, across=False, named=False)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        write_percent(ax.xaxis)
        ax.grid(axis="x")
        for y, (above, below) in enumerate(pairwise(cited)):  # between two of the paper's tables
            if above != below:
                ax.axhline(y + 0.5, color=RULE, lw=0.8)
    left.set_xlim(0, 1)
    right.set(xlim=(0, 1.45), xticks=np.linspace(0, 1, 5))
    names = [f"{where}: {_short(row['statement'])}" for where, row in zip(cited, rows, strict=True)]
    left.set_yticks(range(len(rows)), names, fontsize=7)
    left.set_title("Paper: BAUM, split not\nstated (Table 3: own videos)", fontsize=8.5, fontweight="normal")
    right.set_title(f"Ours: {data},\nnot comparable", fontsize=8.5, fontweight="normal")
    chance = f"Dotted: chance {100 * CHANCE:.1f} %. Bars: 95 % intervals over people"
    write_head(fig, title, f"{caption}. {chance}" if caption else chance)
    return fig


def _cited(source: str) -> str:
    found = re.search(r"(?:Table|Figure) \d+", source)
    return found[0] if found else source


def _short(statement: str) -> str:
    return textwrap.fill(re.sub(r" \(.*?\)", "", statement), 34)
