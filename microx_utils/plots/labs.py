"""Evidence of notebook 14: what the scores, recalls and landmarks of a lab look like, before and after it is mended."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from microx_utils.evaluation import per_class, per_subject
from microx_utils.labels import CHANCE
from microx_utils.plots.charts import Look, draw_dots, draw_intervals, draw_lines, draw_strips


def draw_before_and_after(table: pd.DataFrame, lab: str, *, caption: str) -> Axes:
    """Draw the accuracy of each row of a score table with its interval."""
    title, caption = f"Lab {lab}, before and after", f"lab {lab}, {caption}; bars: 95 % interval over people"
    return draw_intervals(table, title=title, caption=caption, xlabel="accuracy")


def draw_accuracy_and_uar(table: pd.DataFrame, lab: str, *, caption: str) -> Axes:
    """Draw accuracy and UAR of each row of a score table, joined by a line."""
    title, caption = f"Lab {lab}, before and after", f"lab {lab}, {caption}, n = {table['n'].iloc[0]:,} segments"
    return draw_dots(
        table[["accuracy", "UAR"]], title=title, caption=caption, reference=("chance", CHANCE), xlim=(0, 1)
    )


def draw_people(tables: Mapping[str, pd.DataFrame], *, caption: str) -> Axes:
    """Draw a dot for the accuracy of each person, in a strip for each predictions table."""
    each = pd.concat({name: per_subject(rows) for name, rows in tables.items()}, names=["people"]).reset_index()
    look: Look = {"title": "Accuracy of each person", "caption": caption, "xlim": (-0.03, 1.03)}
    return draw_strips(each, "accuracy", "people", **look)


def draw_recalls(tables: Mapping[str, pd.DataFrame], *, caption: str) -> Axes:
    """Draw each emotion's recall, a dot for each predictions table; a name counts up to its colon."""
    recalls = pd.DataFrame({name.split(":")[0]: per_class(rows)["recall"] for name, rows in tables.items()})
    look: Look = {"title": "Recall of each emotion", "caption": caption, "xlabel": "recall", "xlim": (-0.03, 1.03)}
    return draw_dots(recalls, reference=("chance", CHANCE), **look)


def draw_traces(landmarks: pd.DataFrame, clips: Mapping[str, str], column: str, *, caption: str) -> Axes:
    """Draw a landmark's coordinate over each clip, from its first place.

    Parameters
    ----------
    landmarks
        clip_id and OpenFace's columns.
    clips
        clip_id -> what the clip is called in the chart.
    column
        Such as "x_30", in px of the frame.
    """
    traces = {name: landmarks.loc[landmarks["clip_id"] == clip, column].array for clip, name in clips.items()}
    table = pd.DataFrame({name: pd.Series(values) for name, values in traces.items()}).rename_axis("frame")
    title = f"{column} in {len(clips)} clips, from its first place"
    return draw_lines(table - table.iloc[0], title=title, caption=caption, ylabel="pixels")
