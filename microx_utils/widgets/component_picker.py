"""Tick components of the face: what their networks answer together, against the paper's five, on the same people."""

import html
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import ipywidgets
import pandas as pd

from microx_utils.components import PAPER_COMPONENTS
from microx_utils.course.scores import difference_table, interval_words, score_table, tested_rows
from microx_utils.evaluation import confusion
from microx_utils.labels import CHANCE
from microx_utils.plots.style import HELD_OUT_COLOUR, MUTED, caption_data
from microx_utils.rivals.combinations import fuse
from microx_utils.training import Run
from microx_utils.widgets.films import tick
from microx_utils.widgets.live import Live
from microx_utils.widgets.matrix import matrix_cells, matrix_html
from microx_utils.widgets.shown import Html

FUSED = "ticked: a network for each, their answers fused without training"
TRAINED = "ticked: one network trained on them together"
_PLAIN = "text-align:left;font-weight:normal"
PAPER = "the paper's five: one network trained on them together"


def compared(
    alone: Mapping[str, pd.DataFrame], together: Mapping[frozenset[str], pd.DataFrame], chosen: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Return the predictions to compare for some chosen components, by what made them.

    Parameters
    ----------
    alone
        Component -> predictions of the network that saw it alone.
    together
        Components -> predictions of the one network that was trained on them; the paper's five are among them.
    chosen
        One component or more. Whatever they are, their networks are fused late (`rivals.combinations.fuse`); a network
        that was trained on exactly these is added.
    """
    found = {FUSED: fuse([alone[name] for name in chosen])}
    if len(chosen) > 1 and frozenset(chosen) in together and set(chosen) != set(PAPER_COMPONENTS):
        found[TRAINED] = together[frozenset(chosen)]
    return found | {PAPER: together[frozenset(PAPER_COMPONENTS)]}


def comparison(tables: Mapping[str, pd.DataFrame], *, samples: int, seed: int) -> pd.DataFrame:
    """Return `score_table` of `compared`, and each one's difference to the paper's five on the same people.

    The columns of the difference are difference, difference_low, difference_high and verdict; NaN for the five.
    """
    scores = score_table(tables, samples=samples, seed=seed)
    pairs = {name: (table, tables[PAPER]) for name, table in tables.items() if name != PAPER}
    differences = difference_table(pairs, samples=samples, seed=seed)
    return scores.join(differences.rename(columns={"low": "difference_low", "high": "difference_high"}))


def component_picker(
    alone: Mapping[str, Run], together: Sequence[Run], *, data: str, samples: int, seed: int = 0
) -> Live:
    """Return a widget in which components are ticked: accuracy, its interval, the difference to the paper's five.

    Parameters
    ----------
    alone
        Component -> the run that saw it alone. All runs have one split and seed.
    together
        Runs of several components, the paper's five among them.
    data
        What to call the data.
    samples, seed
        Of the bootstraps over people.

    Raises
    ------
    ValueError
        No run has the paper's five, or the runs tested different segments.
    """
    singles = {name: tested_rows(run) for name, run in alone.items()}
    joint = {frozenset(run.experiment.components): tested_rows(run) for run in together}
    if frozenset(PAPER_COMPONENTS) not in joint:
        raise ValueError(f"no run has the components {list(PAPER_COMPONENTS)}; found {[sorted(c) for c in joint]}")
    for table in joint.values():
        fuse([next(iter(singles.values())), table])  # raises for other segments
    first = joint[frozenset(PAPER_COMPONENTS)]
    n, clips, people = len(first), first["clip_id"].nunique(), first["subject"].nunique()
    about = caption_data(data=data, split=together[0].experiment.split, n=n, clips=clips, subjects=people)
    about += f". One seed ({together[0].experiment.seed}). Intervals: 95 %, people drawn"

    @cache
    def scored(chosen: tuple[str, ...]) -> dict[str, Html]:
        tables = compared(singles, joint, chosen)
        counts = matrix_cells(confusion(tables[FUSED])) | {"title": "The fused networks' answers, segments"}
        return {
            "scores": scores_html(comparison(tables, samples=samples, seed=seed), about),
            "confusion": matrix_html(counts),
        }

    def draw(**ticked: bool) -> dict[str, Html]:
        chosen = tuple(name for name in singles if ticked[name])
        return scored(chosen) if chosen else {"scores": Html("<p>Tick one component or more.</p>"), "confusion": Html()}

    ticks = {name: tick(name.replace("_", " "), name in PAPER_COMPONENTS) for name in singles}
    return Live(draw, ticks, title="Component picker", arrange=arrange)


def arrange(controls: Mapping[str, Any], views: Mapping[str, Any]) -> Any:
    """Return the components in a row that wraps, the scores below them, the matrix last."""
    ticks = ipywidgets.HBox(list(controls.values()), layout={"flex_flow": "row wrap"})
    return ipywidgets.VBox([ticks, views["scores"], views["confusion"]])


def scores_html(rows: pd.DataFrame, about: str) -> Html:
    """Return the rows of `comparison`: accuracies drawn on one axis from 0 to 1 with chance, differences in words."""
    lines = []
    for name, row in rows.iterrows():
        difference = "the reference"
        if pd.notna(row["difference"]):
            point, low, high = 100 * row[["difference", "difference_low", "difference_high"]]
            difference = f"{point:+.1f} points ({interval_words(low, high, '{:+.1f}')}): {row['verdict']}"
        lines.append(
            f'<tr><th scope="row" style="{_PLAIN};min-width:9em">{html.escape(str(name))}</th>'
            f"<td>{interval_strip(row['accuracy'], row['low'], row['high'])}</td>"
            f'<td style="white-space:nowrap">{row["accuracy"]:.1%} ({interval_words(row["low"], row["high"])})</td>'
            f'<td style="text-align:left">{html.escape(difference)}</td></tr>'
        )
    heads = ("", "0 to 100 %", "accuracy (interval)", "against the paper's five")
    head = "".join(f'<th scope="col" style="text-align:left">{html.escape(text)}</th>' for text in heads)
    return Html(
        f'<table style="border-spacing:8px 6px;border-collapse:separate;max-width:100%;line-height:1.4">'
        f'<caption style="caption-side:bottom;text-align:left">{html.escape(about)}. Dotted: chance.</caption>'
        f"<tr>{head}</tr>{''.join(lines)}</table>"
    )


def interval_strip(value: float, low: float, high: float) -> str:
    """Return a share with its interval as a dot on a bar, on an axis from 0 to 1 on which chance is dotted."""
    low, high = (low, high) if pd.notna(low) else (value, value)
    bar = f"left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%;top:0.35em;height:0.3em;background:{HELD_OUT_COLOUR}"
    dot = f"left:calc({100 * value:.1f}% - 0.35em);top:0.15em;width:0.7em;height:0.7em;border-radius:50%"
    chance = f"left:{100 * CHANCE:.1f}%;top:0;height:1em;border-left:1px dotted {MUTED}"
    marks = (chance, f"{bar};opacity:0.45", f"{dot};background:{HELD_OUT_COLOUR}")
    drawn = "".join(f'<div style="position:absolute;{mark}"></div>' for mark in marks)
    return f'<div aria-hidden="true" style="position:relative;width:9em;height:1em;background:#eceef0">{drawn}</div>'
