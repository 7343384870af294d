"""The landmark lab: trackers on the same frame, jitter over time, a mask, a hidden face, a threshold for "no face"."""

import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from microx_utils.components import LANDMARK_GROUPS
from microx_utils.faces.sample import load_truth
from microx_utils.landmarks import track_frames
from microx_utils.plots.charts import PALETTE
from microx_utils.plots.overlays import enlarge, put_points, scaled
from microx_utils.plots.style import INK, MUTED
from microx_utils.support.errors import DataError
from microx_utils.trackers.mesh import MeshTracker
from microx_utils.trackers.quality import INSTALL, installed_trackers
from microx_utils.video import FPS
from microx_utils.widgets.films import ClipMenus, Track, load_film, load_track, tick, track_of
from microx_utils.widgets.live import Live, choice, player, side_by_side, slider
from microx_utils.widgets.shown import Content, Html, Seen, lines

COLOURS = {"mesh": PALETTE[0], "dlib": PALETTE[1], "openface": PALETTE[3], "truth": INK, "threshold": MUTED}
PARTS: dict[str, Sequence[int]] = {
    "all points": range(68),
    **{k.replace("_", " "): v for k, v in LANDMARK_GROUPS.items()},
}
_SIDE = 384  # px of the picture: beside the controls it fits on a page of 800 px
_BOARD = (70, 84, 70)


@dataclass(frozen=True)
class Take:
    """A clip as the lab sees it; all points are in px of `frames`.

    frames uint8 (T, H, W, 3) RGB; tracks by tracker; truth float (T, 68, 2), None for real people; hidden bool (T,),
    where a board covers the face; eyes the median distance between the outer eye corners, px; window left, top and side
    of the square to look at; lacking tracker -> why it has no landmarks.
    """

    frames: NDArray[np.uint8]
    tracks: dict[str, Track]
    truth: NDArray | None
    hidden: NDArray[np.bool_]
    eyes: float
    window: tuple[int, int, int]
    lacking: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=8)
def load_take(path: str, trackers: tuple[str, ...], truth_folder: str | None, board: bool) -> Take:
    """Return a clip with each tracker's landmarks, which are computed where they are not cached.

    A tracker without landmarks of this clip is `lacking`, with the reason: imported tables may be those of other clips.
    With a board before the face the landmarks are those of "mesh" on the covered frames: the only tracker that is
    always at hand.
    """
    film = load_film(path)
    frames = film.frames
    tracks, lacking = {}, {}
    for name in trackers:
        try:
            tracks[name] = _placed(load_track(path, name), film.scale)
        except DataError as error:
            if name == "mesh":
                raise
            lacking[name] = error.problem
    first = tracks["mesh"]
    hidden = np.zeros(len(frames), bool)
    truth = None
    if truth_folder is not None:
        known = load_truth(path, folder=truth_folder)
        truth = film.place(known.landmarks[known.rows_at(first.times)])
    known_points = first.points if truth is None else truth
    if board:
        frames, hidden = cover(frames, known_points)
        tracks = {"mesh": track_of(track_frames(zip(first.times, frames, strict=True), MeshTracker()))}
    eyes = float(np.median(np.linalg.norm(known_points[:, 45] - known_points[:, 36], axis=1)))
    return Take(frames, tracks, truth, hidden, eyes, face_window(known_points, frames.shape[1:]), lacking)


def _placed(track: Track, factor: float) -> Track:
    return Track(scaled(track.points, factor), track.success, track.confidence, track.times)


def cover(frames: NDArray[np.uint8], points: NDArray) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return a copy of a clip with a board before the face in its middle third, and bool (T,): in which frames."""
    start, stop = len(frames) // 3, 2 * len(frames) // 3
    near = points[start:stop].reshape(-1, 2)
    margin = 0.25 * (near.max(axis=0) - near.min(axis=0))
    left, top = np.maximum(near.min(axis=0) - margin, 0).astype(int)
    right, bottom = (near.max(axis=0) + margin).astype(int)
    covered, hidden = frames.copy(), np.zeros(len(frames), bool)
    covered[start:stop, top:bottom, left:right] = _BOARD
    hidden[start:stop] = True
    return covered, hidden


def face_window(points: NDArray, shape: Sequence[int]) -> tuple[int, int, int]:
    """Return left, top and side in px of a square round the face in all frames, as far as it fits into the picture."""
    seen = points[points.any(axis=(1, 2))]
    if not len(seen):
        return 0, 0, min(shape[:2])
    low, high = seen.min(axis=(0, 1)), seen.max(axis=(0, 1))
    side = int(min(1.35 * (high - low).max(), *shape[:2]))
    left, top = (low + high) / 2 - [side / 2, 0.55 * side]  # more room above: the points end at the brows
    return int(np.clip(left, 0, shape[1] - side)), int(np.clip(top, 0, shape[0] - side)), side


def lost_frames(track: Track, threshold: float) -> NDArray[np.bool_]:
    """Return bool (T,): where there is no face, by the tracker itself or because its confidence is too low."""
    return ~track.success | (track.confidence < threshold)


def movement(points: NDArray, lost: NDArray[np.bool_], part: str, eyes: float) -> NDArray[np.float64]:
    """Return how far a part's points move from the frame before, in % of the eye distance, mean over points: (T,).

    NaN in the first frame, and where the face is lost in this frame or the one before.
    """
    steps = np.linalg.norm(np.diff(points[:, list(PARTS[part])], axis=0), axis=2).mean(axis=1) / eyes * 100
    return np.concatenate([[np.nan], np.where(lost[1:] | lost[:-1], np.nan, steps)])


def errors_of(points: NDArray, truth: NDArray, lost: NDArray[np.bool_], part: str, eyes: float) -> NDArray[np.float64]:
    """Return how far a part's points are from the true ones, in % of the eye distance, mean over points: (T,)."""
    which = list(PARTS[part])
    return np.where(lost, np.nan, np.linalg.norm(points[:, which] - truth[:, which], axis=2).mean(axis=1) / eyes * 100)


def compare(take: Take, frame: int, part: str, threshold: float) -> pd.DataFrame:
    """Return a row for each tracker: this frame's confidence and error, the clip's means, and the frames lost.

    Errors and movement are in % of the distance between the outer eye corners, over the frames that are not lost.
    The row of a tracker without landmarks says why.
    """
    rows = {}
    for name, track in take.tracks.items():
        lost = lost_frames(track, threshold)
        row: dict[str, Any] = {"this frame": "lost" if lost[frame] else f"confidence {track.confidence[frame]:.2f}"}
        if take.truth is not None:
            errors = errors_of(track.points, take.truth, lost, part, take.eyes)
            row |= {"error, %": _number(errors[frame]), "mean error, %": _mean(errors)}
        row["mean movement, %"] = _mean(movement(track.points, lost, part, take.eyes))
        row["frames lost"] = f"{lost.sum()} of {len(lost)}"
        if take.hidden.any():
            row["hidden and lost"] = f"{(lost & take.hidden).sum()} of {take.hidden.sum()}"
            row["in view, but lost"] = f"{(lost & ~take.hidden).sum()} of {(~take.hidden).sum()}"
        rows[name] = row
    rows |= {name: {"this frame": f"none: {problem}"} for name, problem in take.lacking.items()}
    if take.truth is not None:
        nothing = np.zeros(len(take.truth), bool)
        rows["truth"] = {"mean movement, %": _mean(movement(take.truth, nothing, part, take.eyes))}
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.1f}"


def _mean(values: NDArray[np.float64]) -> str:
    return "" if np.isnan(values).all() else f"{np.nanmean(values):.2f}"


def draw_frame(take: Take, frame: int, shown: Sequence[str], threshold: float) -> NDArray[np.uint8]:
    """Return the face in a frame with the points of the trackers in `shown` as dots, and the true ones as rings.

    A tracker has no points where its face is lost.
    """
    left, top, side = take.window
    picture, factor = enlarge(take.frames[frame][top : top + side, left : left + side], width=_SIDE, height=_SIDE)
    if take.truth is not None and "truth" in shown:
        put_points(picture, scaled(take.truth[frame] - [left, top], factor), INK, radius=4.5, ring=True)
    for name, track in take.tracks.items():
        if name in shown and not lost_frames(track, threshold)[frame]:
            put_points(picture, scaled(track.points[frame] - [left, top], factor), COLOURS[name])
    return picture


def charts(take: Take, frame: int, part: str, threshold: float) -> dict[str, Content]:
    """Return movement and confidence over time, with a mark at a frame; the x axis is in frames."""
    lost = {name: lost_frames(track, threshold) for name, track in take.tracks.items()}
    moves = {name: movement(track.points, lost[name], part, take.eyes) for name, track in take.tracks.items()}
    if take.truth is not None:
        moves["truth"] = movement(take.truth, np.zeros(len(take.truth), bool), part, take.eyes)
    scores = {name: track.confidence for name, track in take.tracks.items()}
    scores["threshold"] = np.full(len(take.frames), threshold)
    said = f"Movement of {part} from the frame before, % of the eye distance"
    return {
        "movement": lines(pd.DataFrame(moves), COLOURS, label=said, at=frame),
        "confidence": lines(pd.DataFrame(scores), COLOURS, label="Confidence", top=1.0, at=frame),
    }


def missing_trackers(reasons: Mapping[str, str]) -> Html:
    """Return which trackers can't be used here, why, and how to get them; `reasons` is "" for one that can."""
    items = [
        f"<li>{html.escape(name)}: {html.escape(reason)}. {html.escape(INSTALL[name])}.</li>"
        for name, reason in reasons.items()
        if reason
    ]
    return Html(f"<div>Not here to compare:<ul style='margin:0'>{''.join(items)}</ul></div>" if items else "")


def landmark_lab(
    clips: pd.DataFrame, *, truth_folder: str | os.PathLike[str] | None = None, start: str | None = None
) -> Live:
    """Show what each tracker that can be used here finds in a clip, frame by frame.

    Parameters
    ----------
    clips
        A clip table; takes with and without a mask differ in `condition`.
    truth_folder
        The sample's folder for rendered clips, whose true points are then shown beside the trackers'.
    start
        The clip_id to begin with.
    """
    reasons = installed_trackers()
    trackers = tuple(name for name, reason in reasons.items() if not reason)
    folder = None if truth_folder is None else str(truth_folder)
    clips = clips.sort_values("condition", key=lambda names: names != "plain", kind="stable")
    menus = ClipMenus(clips, levels=("corpus", "subject", "emotion", "condition", "clip_id"), start=start)
    compared = (*trackers, *(("truth",) if folder else ()))
    frames = slider("frame", 0, 1)
    controls = {
        **menus.controls,
        "board": tick("a board in the middle third", False),
        **{name: tick(f"{name} ({'rings' if name == 'truth' else 'dots'})", True) for name in compared},
        "part": choice("measure", list(PARTS)),
        "threshold": slider("no face below", 0.0, 1.0, step=0.01, value=0.5),
        "frame": frames,
    }

    for name, width in (("part", "17em"), ("threshold", "22em"), ("frame", "17em")):
        controls[name].layout.width = width

    def take_of(values: Mapping[str, Any]) -> Take:
        return load_take(menus.chosen(values)["path"], trackers, folder, values["board"])

    def agree() -> None:
        menus.agree()
        frames.max = len(take_of({name: control.value for name, control in controls.items()}).frames) - 1

    def draw(**values: Any) -> dict[str, Content]:
        shown = [name for name in compared if values[name]]
        name = menus.chosen(values)["clip_id"]
        return look_at(take_of(values), values["frame"], shown, values["part"], values["threshold"], name=name)

    def arrange(widgets: Mapping[str, Any], views: Mapping[str, Any]) -> Any:
        column = {name: widget for name, widget in widgets.items() if name != "frame"}
        film = ipywidgets.VBox([views["picture"], player(frames)])
        measured = ipywidgets.VBox([views["movement"], views["confidence"]])
        body = side_by_side(column, {"film": film, "charts": measured})
        return ipywidgets.VBox([body, views["table"], ipywidgets.HTML(missing_trackers(reasons))])

    return Live(draw, controls, title="Landmark lab", arrange=arrange, adjust=agree)


def look_at(
    take: Take, frame: int, shown: Sequence[str], part: str, threshold: float, *, name: str = "a clip"
) -> dict[str, Content]:
    """Return all that is seen of a frame: the picture, the table of trackers, and the charts."""
    alt = f"The face in frame {frame} of {name}, at {frame / FPS:.2f} s"
    dots = [tracker for tracker in shown if tracker != "truth"]
    alt += f"; dots: points of {' and '.join(dots)}" if dots else ""
    alt += "; rings: true points" if "truth" in shown and take.truth is not None else ""
    picture = Seen(draw_frame(take, frame, shown, threshold), alt)
    return {"picture": picture, "table": compare(take, frame, part, threshold), **charts(take, frame, part, threshold)}
