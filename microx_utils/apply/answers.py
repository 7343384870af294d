"""What the shipped model says of a video: of each face, each segment of ten frames, and each person as a whole."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from microx_utils.apply.tracks import FaceTrack, track_faces
from microx_utils.components import COMPONENTS
from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.robust.inputs import clip_faces
from microx_utils.robust.predicting import ClipAnswer, load_network, predict_clip
from microx_utils.support.cache import atomic_file
from microx_utils.support.errors import DataError
from microx_utils.video import FPS, iter_frames, probe_video

if TYPE_CHECKING:
    from microx_utils.robust.network import Network

SHIPPED = Path(__file__).with_name("shipped")
"""The folder of the shipped weights and of card.json, which says how they were made and what they are worth."""

LONGEST = 600.0
"""Seconds of a video that are held in memory: half a gigabyte for each person."""

SEEN = tuple(f"seen_{name}" for name in COMPONENTS)


@dataclass(frozen=True)
class VideoAnswer:
    """What the model says of a video.

    Attributes
    ----------
    path
        The video.
    table
        What `predict_video` returns.
    tracks, answers
        For each person, where the face is, and what the model says of it; its frames count from `track.first`.
    frames
        How many the video has, at 30 per second.
    """

    path: Path
    table: pd.DataFrame
    tracks: list[FaceTrack]
    answers: list[ClipAnswer]
    frames: int

    @property
    def seconds(self) -> float:
        """How long the video is."""
        return self.frames / FPS


def load_weights(folder: Path = SHIPPED) -> "Network":
    """Return the model whose weights are in a folder of `microx train robust`; they are read as data."""
    _require(folder)
    return load_network(folder)


def read_card(folder: Path = SHIPPED) -> dict[str, Any]:
    """Return how the weights in a folder were made, and what they are worth."""
    _require(folder)
    return json.loads((folder / "card.json").read_text(encoding="utf-8"))


def _require(folder: Path) -> None:
    for name in ("card.json", "design.json", "frame.weights.h5", "span.weights.h5"):
        if not (folder / name).is_file():
            raise DataError(folder / name, "no such file", "Name a folder that `microx train robust --to` made.")


def predict_video(path: str | os.PathLike[str], *, network: "Network | None" = None) -> pd.DataFrame:
    """Return what the shipped model says of the people in a video.

    Parameters
    ----------
    path
        A video, or a part of one, such as film.mp4#t=60,120.
    network
        Another model than the shipped one.

    Returns
    -------
    DataFrame
        For each person a row per segment of ten frames and a row for the clip, which is all that the video shows of
        them: face (1, 2 ...), unit ("segment" or "clip"), first (frame of the video or its part, at 30 per second),
        frames, start and end (s), emotion (the most probable), p_neutral .. p_sad, and seen_full_face .. seen_mouth,
        how likely each component can be seen. A segment that shows no face has the emotion "" and no probabilities.

    Raises
    ------
    DataError
        The video can't be read, is longer than ten minutes, or shows no face.
    """
    return answer_video(path, network=network).table


def answer_video(path: str | os.PathLike[str], *, network: "Network | None" = None) -> VideoAnswer:
    """Return what `predict_video` does, with tracks and crops, to draw from; raise as it does."""
    info = probe_video(path)
    if info.seconds > LONGEST:
        part = f"{Path(path).name}#t=0,{LONGEST:.0f}"
        raise DataError(path, f"is {info.seconds:.0f} s long, at most {LONGEST:.0f} s fit", f"Name a part: {part}")
    network = load_weights() if network is None else network
    frames = max(1, round(info.seconds * FPS))
    pictures = tqdm(
        (frame for _, frame in iter_frames(path)),
        desc=f"following faces in {info.path.name}",
        total=frames,
        unit="frame",
        disable=info.seconds < 20,
    )
    tracks = track_faces(pictures, size=network.design.size)
    if not tracks:
        raise DataError(
            path, "shows no face for a third of a second", "Look at the video: is a face upright, and large?"
        )
    answers = [predict_clip(network, clip_faces(track.crops, track.points, track.given)) for track in tracks]
    table = pd.concat([_rows(track, answer) for track, answer in zip(tracks, answers, strict=True)], ignore_index=True)
    return VideoAnswer(Path(path), table, tracks, answers, frames)


def _rows(track: FaceTrack, answer: ClipAnswer) -> pd.DataFrame:
    """Return the rows of one person."""
    clip = pd.DataFrame([answer.clip], columns=list(PROBABILITIES)).assign(first=0, frames=len(track.found))
    rows = pd.concat([answer.segments.assign(unit="segment"), clip.assign(unit="clip")], ignore_index=True)
    seen = np.array([_seen(answer, first, count) for first, count in rows[["first", "frames"]].to_numpy()])
    rows[list(SEEN)] = seen.round(3)
    rows[list(PROBABILITIES)] = rows[list(PROBABILITIES)].round(4)
    rows["emotion"] = np.array(EMOTIONS)[rows[list(PROBABILITIES)].to_numpy().argmax(axis=1)]  # of what is shown
    shown = [track.found[first : first + count].any() for first, count in rows[["first", "frames"]].to_numpy()]
    rows.loc[~np.array(shown), "emotion"] = ""  # the network answers to nothing, too
    rows.loc[~np.array(shown), list(PROBABILITIES)] = np.nan
    rows["first"] += track.first
    rows = rows.assign(face=track.number, start=rows["first"] / FPS, end=(rows["first"] + rows["frames"]) / FPS)
    rows[["start", "end"]] = rows[["start", "end"]].round(4)
    return rows[["face", "unit", "first", "frames", "start", "end", "emotion", *PROBABILITIES, *SEEN]]


def _seen(answer: ClipAnswer, first: int, count: int) -> NDArray[np.float64]:
    """Return how likely each component can be seen in a part of a clip, (7,); 0 if none of its frames is looked at."""
    inside = (answer.frames >= first) & (answer.frames < first + count)
    return answer.available[inside].mean(axis=0, dtype=np.float64) if inside.any() else np.zeros(len(COMPONENTS))


def save_answer(answer: VideoAnswer, stem: Path, card: Mapping[str, Any]) -> list[Path]:
    """Write an answer as a table (CSV), and as JSON with the model's card; return the two files."""
    files = [stem.with_name(f"{stem.name}.csv"), stem.with_name(f"{stem.name}.json")]
    with atomic_file(files[0]) as temporary:
        answer.table.to_csv(temporary, index=False)
    rows = json.loads(answer.table.to_json(orient="records"))
    people = [
        {
            "face": track.number,
            "clip": next(row for row in rows if row["face"] == track.number and row["unit"] == "clip"),
            "segments": [row for row in rows if row["face"] == track.number and row["unit"] == "segment"],
        }
        for track in answer.tracks
    ]
    facts = {"video": str(answer.path), "seconds": round(answer.seconds, 3), "people": people, "model": card}
    with atomic_file(files[1]) as temporary:
        temporary.write_text(json.dumps(facts, indent=2, ensure_ascii=False), encoding="utf-8")
    return files
