"""Who is behind a cell of a confusion matrix? Choose a cell, and its clips can be played, with their probabilities."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd

from microx_utils.batches import split_table
from microx_utils.course.scores import tested_rows
from microx_utils.crops import CropStore
from microx_utils.evaluation import clip_predictions, predicted, second_choices
from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.plots.style import EMOTION_COLOURS, caption_data
from microx_utils.training import Run
from microx_utils.widgets.films import load_film
from microx_utils.widgets.live import Live, choice, player, slider, still_of
from microx_utils.widgets.matrix import Matrix, matrix_cells, matrix_html
from microx_utils.widgets.shown import Html, Seen, bars

ALL, OTHER = "all seven", "other"
LABELS, CHOICES = "label and answer", "first and second choice"
NAMES = {LABELS: ("labelled", "answered"), CHOICES: ("answered", "second choice")}
"""What a cell's row and its column say of a segment."""
SAID = {LABELS: ("was answered", "were answered"), CHOICES: ("has as second choice", "have as second choice")}
"""The same in a sentence, of one segment and of several."""

TITLE = "Confusion explorer"
WIDTH = 256
"""CSS pixels at which a frame is shown."""

EMPTY = Seen(np.full((144, 256, 3), 224, np.uint8), "Nothing lies in this cell.", width=WIDTH)


def cell_names(predictions: pd.DataFrame, view: str, against: str = ALL) -> pd.DataFrame:
    """Return the matrix cell of each row of a predictions table, as columns `row` and `column`, with the same index.

    Parameters
    ----------
    predictions
        One row for each segment or clip.
    view
        `LABELS`: by label and answer. `CHOICES`: by answer and second choice.
    against
        An emotion, to which all others are opposed as `OTHER`; `ALL` keeps the seven apart.
    """
    answer = predicted(predictions)
    first, second = (predictions["emotion"], answer) if view == LABELS else (answer, second_choices(predictions))
    names = pd.DataFrame({"row": first.astype(str), "column": second})
    return names if against == ALL else names.where(names == against, OTHER)


def emotions_of(against: str) -> list[str]:
    """Return the names of a matrix's rows, which are also those of its columns."""
    return list(EMOTIONS) if against == ALL else [OTHER, against]


def count_cells(names: pd.DataFrame, against: str = ALL) -> pd.DataFrame:
    """Return the counts of `cell_names`: 7 x 7 in the order of EMOTIONS, or 2 x 2 with `OTHER` first."""
    order = emotions_of(against)
    counts = pd.crosstab(names["row"], names["column"])
    return counts.reindex(index=order, columns=order, fill_value=0)


def possible_cells(view: str, against: str = ALL) -> pd.DataFrame:
    """Return which cells can hold anything, as bool: no emotion is both the first and the second choice."""
    order = emotions_of(against)
    same = np.array([[a == b != OTHER for b in order] for a in order])
    return pd.DataFrame(~same if view == CHOICES else np.ones_like(same), order, order)


def most_frequent_mistake(counts: pd.DataFrame) -> list[int]:
    """Return [row, column] of the largest count off the diagonal."""
    off = counts.to_numpy() * (1 - np.eye(len(counts), dtype=int))
    return [int(place) for place in np.unravel_index(off.argmax(), off.shape)]


def rows_behind(predictions: pd.DataFrame, names: pd.DataFrame, cell: tuple[str, str]) -> pd.DataFrame:
    """Return the rows of a predictions table that lie in one cell, most confident answer first."""
    found = predictions[(names["row"] == cell[0]) & (names["column"] == cell[1])]
    order = np.argsort(-found[list(PROBABILITIES)].max(axis=1).to_numpy(), kind="stable")
    return found.iloc[order]


def describe_row(row: Any) -> str:
    """Return one line about a segment or clip: which, of whom, and how sure the answer is."""
    values = row[list(PROBABILITIES)].to_numpy(float)
    return f"{row['segment_id']} (subject {row['subject']}): {EMOTIONS[int(values.argmax())]} {values.max():.0%}"


def frame_spans(segments: pd.DataFrame, clips: pd.DataFrame) -> dict[str, tuple[str, int, int]]:
    """Return where to find the pictures of each segment, and of each clip: id -> (path, first frame, frames).

    Parameters
    ----------
    segments
        The table of `make_segments`.
    clips
        `CropStore.clips`.
    """
    spans = {
        clip: (str(path), 0, int(frames))
        for clip, path, frames in zip(clips["clip_id"], clips["path"], clips["frames"], strict=True)
    }
    starts = dict(zip(clips["clip_id"], clips["first"], strict=True))
    columns = (segments[name] for name in ("segment_id", "clip_id", "first", "frames"))
    for segment, clip, first, frames in zip(*columns, strict=True):
        spans[segment] = (spans[clip][0], int(first - starts[clip]), int(frames))
    return spans


def confusion_explorer(run: Run, store: CropStore, *, data: str, view: str = LABELS) -> Live:
    """Return the confusion matrix of a run's test set as a widget: choose a cell, and its clips can be played.

    Parameters
    ----------
    run
        Whose test segments are shown.
    store
        The crops that it was trained on; their clips are played.
    data
        What to call the data.
    view
        `LABELS` or `CHOICES`, to begin with.
    """
    test = tested_rows(run)
    spans = frame_spans(split_table(run.experiment, store), store.clips)
    clips, subjects = test["clip_id"].nunique(), test["subject"].nunique()
    about: dict[str, Any] = {"data": data, "split": run.experiment.split, "subjects": subjects}
    captions = {
        "segments": caption_data(n=len(test), clips=clips, **about),
        "clips": caption_data(n=clips, unit="clips", **about),
    }
    explorer = _Explorer({"segments": test, "clips": clip_predictions(test)}, spans, captions, view)
    explorer.adjust()
    first = explorer.draw(**{name: control.value for name, control in explorer.controls.items()})
    still = still_of({"cells": matrix_html(explorer.controls["cell"].cells), **first}, TITLE)
    return Live(explorer.draw, explorer.controls, title=TITLE, arrange=arrange, adjust=explorer.adjust, still=still)


class _Explorer:
    """The controls, kept in agreement, and what they show.

    `units` has the predictions of segments and clips, `spans` their frames, `captions` the lines about the data.
    """

    def __init__(
        self,
        units: dict[str, pd.DataFrame],
        spans: dict[str, tuple[str, int, int]],
        captions: dict[str, str],
        view: str,
    ) -> None:
        self.units, self.spans, self.captions = units, spans, captions
        self._known: dict[tuple[str, str, str], pd.DataFrame] = {}
        self.controls: dict[str, Any] = {
            "view": choice("matrix of", list(NAMES), value=view),
            "unit": choice("count", list(units)),
            "against": choice("emotions", [(ALL, ALL), *((f"{name} against the rest", name) for name in EMOTIONS)]),
            "cell": Matrix(description="cell"),
            "item": ipywidgets.Select(description="in this cell", rows=5, style={"description_width": "auto"}),
            "frame": slider("frame", 0, 1),
        }
        self._before: tuple[Any, ...] = ((), (), None)  # what the controls were last made to agree with

    def adjust(self) -> None:
        """Make the matrix, the list of its cell's clips and their number of frames those of the menus' values."""
        view, unit, against = menus = tuple(self.controls[name].value for name in ("view", "unit", "against"))
        cell, item, frame = (self.controls[name] for name in ("cell", "item", "frame"))
        counts, names = self._counts(view, unit, against), NAMES[view]
        old_menus, old_cell, old_item = self._before
        if menus != old_menus:
            possible = possible_cells(view, against)
            cell.cells = matrix_cells(counts, row=names[0], column=names[1], unit=unit, possible=possible)
        if (view, against) != old_menus[::2]:  # other rows and columns
            cell.value = most_frequent_mistake(counts)
        if (menus, cell.value) != (old_menus, old_cell):
            rows = self._rows(view, unit, against, cell.value)
            item.options = [(describe_row(row), row["segment_id"]) for _, row in rows.iterrows()]
            item.index = 0 if len(rows) else None
        if item.value != old_item:
            frame.value = 0
            frame.max = self.spans[item.value][2] - 1 if item.value else 0
        self._before = (menus, list(cell.value), item.value)

    def draw(self, view: str, unit: str, against: str, cell: list[int], item: str | None, frame: int) -> dict[str, Any]:
        """Return what the cell says, the frame of the chosen clip, and its probabilities."""
        text = cell_text(self._counts(view, unit, against), cell, view, unit)
        about = Html(
            f'<div role="status" style="line-height:1.5"><strong>{html.escape(text)}</strong><br>'
            f"{html.escape(self.captions[unit])}</div>"
        )
        if item is None:
            return {"about": about, "picture": EMPTY, "bars": Html("<p>The cell is empty.</p>")}
        rows = self._rows(view, unit, against, cell)
        row = rows[rows["segment_id"] == item].iloc[0]
        path, first, _ = self.spans[item]
        alt = f"Frame {frame + 1} of {describe_row(row)}, labelled {row['emotion']}"
        shares = pd.Series(row[list(PROBABILITIES)].to_numpy(float), EMOTIONS)
        return {
            "about": about,
            "picture": Seen(load_film(path).frames[first + frame], alt, width=WIDTH),
            "bars": bars(shares, EMOTION_COLOURS, label=f"Probabilities; labelled {row['emotion']}"),
        }

    def _names(self, view: str, unit: str, against: str) -> pd.DataFrame:
        """Return `cell_names`, computed once: a playing clip asks for them with every frame."""
        if (view, unit, against) not in self._known:
            self._known[view, unit, against] = cell_names(self.units[unit], view, against)
        return self._known[view, unit, against]

    def _counts(self, view: str, unit: str, against: str) -> pd.DataFrame:
        return count_cells(self._names(view, unit, against), against)

    def _rows(self, view: str, unit: str, against: str, cell: list[int]) -> pd.DataFrame:
        order = emotions_of(against)
        return rows_behind(self.units[unit], self._names(view, unit, against), (order[cell[0]], order[cell[1]]))


def cell_text(counts: pd.DataFrame, cell: Sequence[int], view: str, unit: str) -> str:
    """Return what a cell says, in words."""
    first, second = counts.index[cell[0]], counts.columns[cell[1]]
    row = counts.to_numpy()[cell[0]]
    total, n = row.sum(), row[cell[1]]
    share = f" ({n / total:.0%})" if total else ""
    return f"{n} of the {total} {unit} {NAMES[view][0]} {first} {SAID[view][int(n != 1)]} {second}{share}."


def arrange(controls: Mapping[str, Any], views: Mapping[str, Any]) -> Any:
    """Return menus and matrix on the left; the list, the clip and its probabilities beside it, or below it."""
    wrap = {"flex_flow": "row wrap", "grid_gap": "12px"}
    matrix = ipywidgets.VBox([controls[name] for name in ("view", "unit", "against", "cell")] + [views["about"]])
    matrix.layout.width = "530px"
    controls["item"].layout.width = "auto"
    clip = ipywidgets.HBox([views["picture"], views["bars"]], layout=wrap)
    beside = ipywidgets.VBox([controls["item"], player(controls["frame"], milliseconds=1000 // 15), clip])
    return ipywidgets.HBox([matrix, beside], layout=wrap)
