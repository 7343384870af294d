"""The clip browser: any clip of a clip table, frame by frame, with its landmarks, boxes and crops."""

from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

import ipywidgets
import pandas as pd

from microx_utils.components import component_available, component_boxes, crop_components
from microx_utils.plots.overlays import POINT_COLOURS, enlarge, put_boxes, put_points, scaled
from microx_utils.trackers.quality import worst_clips
from microx_utils.video import FPS
from microx_utils.widgets.films import ClipMenus, crop_strip, facts_table, load_film, load_track, stack, tick
from microx_utils.widgets.live import Live, button, player, side_by_side, slider
from microx_utils.widgets.shown import Content, Seen


def clip_browser(
    clips: pd.DataFrame,
    *,
    quality: pd.DataFrame | None = None,
    start: str | None = None,
    marked: bool = True,
    tracker: str | None = None,
) -> Live:
    """Show the clips of a clip table: menus of those that exist, frames to scrub or play, what was found in them.

    Parameters
    ----------
    clips
        The clip table.
    quality
        A report of `trackers.quality.clip_quality`: its six worst clips are one click away, each with its reason.
    start
        The clip_id to begin with.
    marked
        Whether landmarks, boxes and crops are shown at first; without them no landmarks are computed.
    tracker
        One of `landmarks.TRACKERS`; None is `chosen_tracker`.
    """
    menus = ClipMenus(clips, start=start)
    frames = slider("frame", 0, 1)
    controls = {
        **menus.controls,
        "landmarks": tick("landmarks", marked),
        "boxes": tick("boxes and crops", marked),
        "frame": frames,
    }
    worst = pd.DataFrame(columns=["clip_id", "reason"]) if quality is None else worst_clips(quality, 6)
    reasons = dict(zip(worst["clip_id"], worst["reason"], strict=True))

    def agree() -> None:
        menus.agree()
        path = menus.chosen({name: control.value for name, control in controls.items()})["path"]
        frames.max = len(load_film(path).frames) - 1

    def draw(frame: int, landmarks: bool, boxes: bool, **chosen: str) -> dict[str, Content]:
        clip = menus.chosen(chosen)
        return look_at(clip, frame, landmarks, boxes, tracker=tracker, reason=reasons.get(clip["clip_id"], ""))

    def arrange(widgets: Mapping[str, Any], views: Mapping[str, Any]) -> Any:
        column = {name: widget for name, widget in widgets.items() if name != "frame"}
        if reasons:
            column["worst"] = ipywidgets.HTML("The worst clips:")
        for clip_id, reason in reasons.items():
            column[clip_id] = button(clip_id, partial(show, clip_id), tooltip=reason)
        film = ipywidgets.VBox([views["picture"], player(frames), views["facts"]])
        return side_by_side(column, {"film": film})

    def show(clip_id: str) -> None:
        with live.hold():
            menus.choose(clip_id)
            frames.value = 0

    live = Live(draw, controls, title="Clip browser", arrange=arrange, adjust=agree)
    return live


def look_at(
    clip: Mapping[Hashable, Any],
    frame: int,
    landmarks: bool,
    boxes: bool,
    *,
    tracker: str | None = None,
    reason: str = "",
) -> dict[str, Content]:
    """Return one frame of a clip and the facts about it.

    Parameters
    ----------
    clip
        A row of a clip table.
    frame
        Counted from 0 at 30 fps.
    landmarks, boxes
        Whether the points are drawn, and the component boxes with the crops below them. Without either, no landmarks
        are needed, nor computed.
    tracker
        As in `clip_landmarks`.
    reason
        Why the clip is among the worst; "" if it isn't.
    """
    film = load_film(clip["path"])
    picture, factor = enlarge(film.frames[frame])
    seen = [picture]
    facts = {"clip": clip["clip_id"], "person": clip["subject"], "label": clip["emotion"]}
    facts["frame"] = f"{frame} of 0 to {len(film.frames) - 1}, at {frame / FPS:.2f} s"
    if reason:
        facts["among the worst"] = reason
    words = [f"Frame {frame} of {clip['clip_id']}, labelled {clip['emotion']}"]
    if landmarks or boxes:
        track = load_track(clip["path"], tracker)
        points, success = film.place(track.points[frame]), bool(track.success[frame])
        facts["face"] = f"found, confidence {track.confidence[frame]:.2f}" if success else "not found"
        if not success:
            facts["face"] += ": the points are those of the last face seen" if track.success[:frame].any() else " yet"
    if boxes:
        put_boxes(picture, scaled(component_boxes(points), factor))
        usable = component_available(points, film.frames.shape[1:], success=success)
        seen.append(crop_strip(crop_components(film.frames[frame], points, size=78), usable))
        words.append("its component boxes and the seven crops below it")
    if landmarks and (success or track.success[:frame].any()):
        put_points(picture, scaled(points, factor), POINT_COLOURS)
        words.append("its 68 landmarks")
    alt = ", with ".join([words[0], " and ".join(words[1:])][: len(words)])
    return {"picture": Seen(stack(*seen), alt), "facts": facts_table(facts)}
