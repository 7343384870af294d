"""What the model says of a video, drawn: a timeline of each face, and the video with what it looks at."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from microx_utils.apply.answers import VideoAnswer
from microx_utils.apply.tracks import FaceTrack
from microx_utils.components import COMPONENTS, FULL_FACE, component_boxes
from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.plots.canvas import figure_of
from microx_utils.plots.overlays import POINT_COLOURS, put_bars, put_points, put_weighted_boxes, rgb, scaled
from microx_utils.plots.style import EMOTION_COLOURS, INK, MUTED, WIDTH, style, write_head
from microx_utils.robust.predicting import ClipAnswer
from microx_utils.support.cache import atomic_file
from microx_utils.video import FPS, iter_frames, write_video

_PICTURES = 8  # of a face, above its timeline
_TALLEST = 480  # px of a drawn video, without what stands beside it
_PANEL = 220  # px: what stands beside it,
_OF_A_FACE = 152  # of that for one face
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_timeline(answer: VideoAnswer) -> Figure:
    """Return for each face its pictures, the probabilities over time, and the components' weights over time."""
    style()
    people = len(answer.tracks)
    figure = plt.figure(figsize=(WIDTH, 0.9 + 3.5 * people))
    rows = figure.add_gridspec(3 * people, 1, height_ratios=[0.9, 2.2, 1.3] * people)
    for row, (track, each) in enumerate(zip(answer.tracks, answer.answers, strict=True)):
        pictures, chances, weights = (figure.add_subplot(rows[3 * row + part]) for part in range(3))
        _draw_pictures(pictures, track, answer.seconds)
        _draw_chances(chances, answer, track.number)
        _draw_weights(weights, track, each, answer.seconds)
    write_head(figure, answer.path.name, _words(answer))
    return figure


def _words(answer: VideoAnswer) -> str:
    clips = answer.table[answer.table["unit"] == "clip"]
    of = [f"face {row.face}: {row.emotion} ({getattr(row, f'p_{row.emotion}'):.0%})" for row in clips.itertuples()]
    return f"All of the video, {'; '.join(of)}."


def save_timeline(answer: VideoAnswer, stem: Path) -> Path:
    """Save the timeline as a PNG file, which holds its description, too; return the file."""
    file = stem.with_name(f"{stem.name}.png")
    figure = draw_timeline(answer)
    with atomic_file(file) as temporary:
        figure.savefig(temporary, bbox_inches="tight", metadata={"Description": describe(answer)})
    plt.close(figure)
    return file


def describe(answer: VideoAnswer) -> str:
    """Return the timeline's alternative text."""
    parts = [
        f"Timeline of {len(answer.tracks)} face(s) in {answer.path.name}, {answer.seconds:.1f} s. {_words(answer)}"
    ]
    for face, rows in answer.table[answer.table["unit"] == "segment"].groupby("face"):
        runs = (rows["emotion"] != rows["emotion"].shift()).cumsum()
        said = [f"{part['emotion'].iloc[0]} from {part['start'].iloc[0]:.1f} s" for _, part in rows.groupby(runs)]
        parts.append(f"Face {face}: {', '.join(said[:12])}{' ...' * (len(said) > 12)}.")
    return " ".join(parts)


def _draw_pictures(ax: Axes, track: FaceTrack, seconds: float) -> None:
    """Draw the face at equal distances in time, each picture where its time is on the axis below."""
    ax.set(xlim=(0, seconds), ylim=(0, 1), yticks=[], xticks=[])
    ax.spines[:].set_visible(False)
    width, height = ax.get_position().size * figure_of(ax).get_size_inches()
    half = seconds * height / width / 2
    ax.set_ylabel(f"face {track.number}", rotation=0, ha="right", va="center")
    for time in np.linspace(half, seconds - half, _PICTURES) if seconds > 2 * half else [seconds / 2]:
        place = round(time * FPS) - track.first
        if 0 <= place < len(track.found) and track.found[place]:
            ax.imshow(track.crops[place, FULL_FACE], extent=(time - half, time + half, 0, 1), aspect="auto")
    ax.set(xlim=(0, seconds), ylim=(0, 1))


def _draw_chances(ax: Axes, answer: VideoAnswer, face: int) -> None:
    rows = answer.table.query("face == @face and unit == 'segment'")
    edges = np.append(rows["start"], rows["end"].iloc[-1])
    below = np.zeros(len(edges))
    for emotion, column in zip(EMOTIONS, PROBABILITIES, strict=True):
        above = below + np.append(rows[column], rows[column].iloc[-1])
        ax.fill_between(edges, below, above, step="post", color=EMOTION_COLOURS[emotion], linewidth=0, label=emotion)
        below = above
    ax.set(xlim=(0, answer.seconds), ylim=(0, 1), yticks=[0, 0.5, 1], ylabel="probability", xticklabels=[])
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), reverse=True, frameon=False)


def _draw_weights(ax: Axes, track: FaceTrack, each: ClipAnswer, seconds: float) -> None:
    """Draw how much each component says in the frames that were looked at; a hidden one says nothing."""
    centres = (track.first + each.frames + 0.5) / FPS
    ends = (track.first, track.first + len(track.found))
    edges = np.concatenate([[ends[0] / FPS], (centres[1:] + centres[:-1]) / 2, [ends[1] / FPS]])
    mesh = ax.pcolormesh(edges, np.arange(len(COMPONENTS) + 1), each.weights.T, cmap="Greys", vmin=0, vmax=0.6)
    names = [name.replace("_", " ") for name in COMPONENTS]
    ax.set(xlim=(0, seconds), yticks=np.arange(len(COMPONENTS)) + 0.5, yticklabels=names, xlabel="seconds")
    ax.tick_params(axis="y", labelsize=7)
    ax.invert_yaxis()
    bar = ax.inset_axes((1.02, 0, 0.02, 1))
    figure_of(ax).colorbar(mesh, cax=bar).set_label("weight", color=MUTED)


def write_drawn_video(answer: VideoAnswer, path: Path) -> None:
    """Write the video with landmarks, boxes as thick as their component's weight is large, and what is believed.

    It has no sound. Faces in a part of a file are drawn in that part.
    """
    write_video(path, _drawn(answer))


def _drawn(answer: VideoAnswer) -> Iterator[NDArray[np.uint8]]:
    segments = answer.table[answer.table["unit"] == "segment"]
    for number, (_, frame) in enumerate(iter_frames(answer.path)):
        factor = min(1.0, _TALLEST / frame.shape[0]) if frame.shape[0] > _TALLEST else max(1.0, 240 / frame.shape[0])
        height, width = (2 * round(side * factor / 2) for side in frame.shape[:2])
        tall = max(height, _OF_A_FACE * max(track.number for track in answer.tracks))
        picture = np.full((tall, width + _PANEL, 3), 255, np.uint8)
        picture[:height, :width] = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        top = 16
        for track, each in zip(answer.tracks, answer.answers, strict=True):
            place = number - track.first
            if not 0 <= place < len(track.found):
                continue
            if track.found[place]:
                _put_face(picture[:height, :width], track, each, place, factor)
            rows = segments[(segments["face"] == track.number) & (segments["first"] <= number)]
            if len(rows) and (row := rows.iloc[-1])["emotion"]:
                shares = {emotion: row[column] for emotion, column in zip(EMOTIONS, PROBABILITIES, strict=True)}
                top = put_bars(picture[:, width:], f"face {row['face']}", shares, EMOTION_COLOURS, top)
        yield picture


def _put_face(picture: NDArray[np.uint8], track: FaceTrack, each: ClipAnswer, place: int, factor: float) -> None:
    points = scaled(track.points[place], factor)
    weights = each.weights[np.abs(each.frames - place).argmin()]
    put_weighted_boxes(picture, component_boxes(points), weights)
    put_points(picture, points, POINT_COLOURS, radius=1.2)
    left, top = component_boxes(points)[FULL_FACE].min(axis=0)
    place_of_name = (max(2, round(left)), max(14, round(top) - 4))
    cv2.putText(picture, str(track.number), place_of_name, _FONT, 0.6, (255, 255, 255), 4, cv2.LINE_AA)
    cv2.putText(picture, str(track.number), place_of_name, _FONT, 0.6, rgb(INK), 1, cv2.LINE_AA)
