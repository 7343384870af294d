"""The mask slider: one take with and without a mask, and what a network says to both while the take runs."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.plots.style import EMOTION_COLOURS, INK, TRAIN_COLOUR
from microx_utils.video import FPS, read_frames
from microx_utils.widgets.live import Live, choice, player, slider
from microx_utils.widgets.shown import Content, Seen, bars, lines

CONDITIONS = {"plain": "without a mask", "mask": "with a mask"}
COLOURS = {"without a mask": TRAIN_COLOUR, "with a mask": INK}


def paired_clips(recordings: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return the clips of each take that was recorded both ways: {take: {"plain": clip_id, "mask": clip_id}}.

    Parameters
    ----------
    recordings
        A store's clips by clip_id, with `take` and `condition` ("plain" or "mask").

    Raises
    ------
    ValueError
        No take was recorded both ways.
    """
    takes: dict[str, dict[str, str]] = {}
    for name, take, condition in zip(recordings.index, recordings["take"], recordings["condition"], strict=True):
        takes.setdefault(take, {})[condition] = name
    pairs = {take: clips for take, clips in sorted(takes.items()) if len(clips) == 2}
    if not pairs:
        raise ValueError(f"none of {len(recordings)} recordings has a partner: one with, one without a mask")
    return pairs


def frame_shares(clip: Mapping[str, Any], segments: pd.DataFrame, answers: pd.DataFrame) -> NDArray[np.float64]:
    """Return a network's probabilities frame by frame: in each, those of the segment that the frame belongs to.

    Parameters
    ----------
    clip
        The clip's row of the store: its `first` and `frames`.
    segments, answers
        The clip's rows of a segment table, and its predictions.

    Returns
    -------
    float64 (frames, 7)
        In the order of `labels.EMOTIONS`; NaN for frames that are in no segment.
    """
    shares = np.full((clip["frames"], len(EMOTIONS)), np.nan)
    rows = answers.set_index("segment_id")[list(PROBABILITIES)]
    for name, first, frames in zip(segments["segment_id"], segments["first"], segments["frames"], strict=True):
        start = first - clip["first"]
        shares[start : start + frames] = rows.loc[name]
    return shares


@lru_cache(maxsize=4)
def _frames(path: str) -> NDArray[np.uint8]:
    return read_frames(path)[0]


def mask_slider(recordings: pd.DataFrame, segments: pd.DataFrame, answers: pd.DataFrame) -> Live:
    """Return the slider: both pictures of a moment, the answers to both, and the true label's probability over time.

    Parameters
    ----------
    recordings
        As for `paired_clips`, with the columns of a store's clips.
    segments
        The segments of these recordings, as `batches.segment_table` cuts them.
    answers
        A network's predictions for the segments.

    Raises
    ------
    ValueError
        No take was recorded both ways.
    """
    pairs = paired_clips(recordings)
    asked, given = dict(iter(segments.groupby("clip_id"))), dict(iter(answers.groupby("clip_id")))
    clips: dict[str, Any] = {str(name): row for name, row in recordings.to_dict("index").items()}
    take = choice(
        "take", [(f"{take}, labelled {clips[pair['plain']]['emotion']}", take) for take, pair in pairs.items()]
    )
    frame = slider("frame", 0, 1, value=0)
    frame.layout.width = "24em"

    def adjust() -> None:
        frame.max = min(clips[name]["frames"] for name in pairs[take.value].values()) - 1

    def draw(take: str, frame: int) -> dict[str, Content]:
        shown: dict[str, Content] = {}
        over_time = {}
        label = clips[pairs[take]["plain"]]["emotion"]
        for condition, words in CONDITIONS.items():
            name = pairs[take][condition]
            clip = clips[name]
            shares = frame_shares(clip, asked.get(name, segments[:0]), given.get(name, answers[:0]))
            alt = f"{name}: frame {frame} of a face labelled {label}, {words}"
            shown[f"{condition}_face"] = Seen(_frames(clip["path"])[frame], alt, 300)
            now = pd.Series(shares[frame], EMOTIONS)
            shown[f"{condition}_answer"] = (
                f"{words.capitalize()}: this frame is in no segment, so the network is not asked about it."
                if now.isna().any()
                else bars(now, EMOTION_COLOURS, label=f"Answer {words}")
            )
            over_time[words] = shares[:, EMOTIONS.index(label)]
        length = min(map(len, over_time.values()))
        table = pd.DataFrame({words: shares[:length] for words, shares in over_time.items()})
        table.index = np.arange(length) / FPS
        title = f"Probability of the label, {label}, by seconds"
        shown["course"] = lines(table, COLOURS, label=title, top=1.0, at=frame / FPS)
        return shown

    return Live(draw, {"take": take, "frame": frame}, title="Mask slider", arrange=_arranged, adjust=adjust)


def _arranged(controls: Mapping[str, Any], views: Mapping[str, Any]) -> Any:
    """Put each answer below its picture, the two side by side, and the take's course below both."""
    row = ipywidgets.Layout(flex_flow="row wrap", grid_gap="4px 16px", align_items="flex-start")
    columns = [ipywidgets.VBox([views[f"{name}_face"], views[f"{name}_answer"]]) for name in CONDITIONS]
    return ipywidgets.VBox(
        [
            ipywidgets.HBox([controls["take"], player(controls["frame"])], layout=row),
            ipywidgets.HBox([*columns, views["course"]], layout=row),
        ]
    )
