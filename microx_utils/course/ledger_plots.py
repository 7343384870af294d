"""Charts of the ledger: claims by verdict, and the paper's scores drawn apart from ours."""

import re
import textwrap
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from microx_utils.course import ledger
from microx_utils.course.claims import (
    ADOPTED,
    CONSISTENT,
    CONTRADICTED,
    DIFFERS,
    NOT_ADOPTED,
    REPRODUCED,
    UNTESTABLE,
)
from microx_utils.course.gallery import STANDINGS, standing
from microx_utils.labels import CHANCE
from microx_utils.plots.style import (
    HELD_OUT_COLOUR,
    MUTED,
    RULE,
    WIDTH,
    ink_on,
    write_head,
)

COLOURS = {
    REPRODUCED: "#117733",
    DIFFERS: "#cc6677",
    UNTESTABLE: "#c9cdd2",
    CONTRADICTED: "#882255",
    CONSISTENT: "#88ccee",
    ADOPTED: "#332288",
    NOT_ADOPTED: "#ddcc77",
    ledger.STALE: "#ffffff",
    ledger.NOT_RUN: "#ffffff",
    ledger.NO_NOTEBOOK: "#ffffff",
}
"""Paul Tol's muted palette; what has no verdict is white and told apart by its hatching."""

HATCHES = {ledger.STALE: "xxxx", ledger.NOT_RUN: "////", ledger.NO_NOTEBOOK: "...."}


def draw_verdicts(table: pd.DataFrame, titles: Mapping[str, str], *, title: str, caption: str = "") -> Figure:
    """Draw a bar for each section of the paper, stacked by verdict, with the counts written in.

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
    fig, ax = plt.subplots(figsize=(WIDTH, 1.9 + 0.27 * len(counts)))
    place, left = np.arange(len(counts)), np.zeros(len(counts))
    for name in names:
        widths = counts[name].to_numpy()
        hatch, edge = HATCHES.get(name), MUTED if name in HATCHES else "white"
        some = widths > 0  # a bar of no width would still show its edge
        look: dict[str, Any] = {"color": COLOURS[name], "edgecolor": edge, "hatch": hatch, "lw": 0.6, "label": name}
        ax.barh(place[some], widths[some], left=left[some], height=0.72, **look)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8} if hatch else None
        for y, width, start in zip(place[some], widths[some], left[some], strict=True):
            ink = ink_on(to_rgb(COLOURS[name]))
            ax.text(start + width / 2, y, str(width), ha="center", va="center", fontsize=7.5, color=ink, bbox=box)
        left += widths
    labels = [titles[section] if section == "abstract" else f"{section}  {titles[section]}" for section in counts.index]
    ax.set_yticks(place, [textwrap.shorten(label, 44, placeholder=" ...") for label in labels])
    ax.set(xlim=(0, left.max() + 0.3), ylim=(len(counts) - 0.4, -0.6), xlabel="claims")
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    fig.legend(loc="outside lower left", ncols=2, fontsize=7.5)
    write_head(fig, title, caption)
    return fig


def draw_scores(scores: pd.DataFrame, *, title: str, caption: str = "", data: str) -> Figure:
    """Draw the scores of a ledger, a row each: left the paper's value, right ours with its interval, on its own axis.

    Parameters
    ----------
    scores
        Rows of `ledger.read_ledger` of kind "score". Those without a value are named and left empty on the right.
    data
        What ours were measured on, for the heading of the right panel.
    """
    rows = scores.to_dict("records")
    place = np.arange(len(rows))
    height = 1.5 + 0.33 * len(rows)
    fig, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, height), sharey=True, width_ratios=(1, 1.5))
    left.plot([row["paper"] for row in rows], place, "D", ms=5, color="white", mec=MUTED, mew=1.3)
    for y, row in enumerate(rows):
        left.annotate(
            f"{100 * row['paper']:.1f} %",
            (row["paper"], y),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
        if row["status"] not in (ledger.RECORDED, ledger.STALE):
            right.text(0.02, y, row["status"], va="center", fontsize=7, color=MUTED)
            continue
        low, high = row["interval"]
        right.hlines(y, low, high, color=HELD_OUT_COLOUR, lw=2.2)
        hollow = row["status"] == ledger.STALE
        right.plot(row["ours"], y, "o", ms=5.5, color="white" if hollow else HELD_OUT_COLOUR, mec=HELD_OUT_COLOUR)
        said = f"{100 * row['ours']:.1f} %  (n = {row['n']:,}, {row['split']})" + (" stale" if hollow else "")
        right.annotate(said, (high, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=7)
    for ax in (left, right):
        ax.axvline(CHANCE, color=MUTED, lw=0.9, ls=":")
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        ax.grid(axis="x")
        for y in place[1:]:  # between two of the paper's tables
            if _cited(rows[y]["source"]) != _cited(rows[y - 1]["source"]):
                ax.axhline(y - 0.5, color=RULE, lw=0.8)
    left.set_xlim(0, 1)
    right.set_xlim(0, 1.45)
    right.set_xticks(np.linspace(0, 1, 5))
    left.set_yticks(place, [f"{_cited(row['source'])}: {_short(row['statement'])}" for row in rows], fontsize=7)
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
