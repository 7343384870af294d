"""From clips to a crop store: the crops of every frame as one memory-mapped array (paper, sections III.B and IV.B).

A segment is a window over the store, so that segment length, step and colour need no second copy. `crop_clip` crops one
video, and `crop_store` those of a clip table, cached under a hash of everything that decides the crops. It is built
clip by clip, and a build that was killed resumes where it stopped.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from microx_utils.components import COMPONENTS, Style, component_available, crop_components
from microx_utils.labels import EXCLUDED_COLUMNS
from microx_utils.landmarks import (
    chosen_tracker,
    clip_landmarks,
    get_tracker,
    kept_keys,
    landmark_array,
    success_array,
    tracker_key,
)
from microx_utils.support import cache, lost_clips, paths
from microx_utils.support.errors import DataError
from microx_utils.support.parallel import run_parallel
from microx_utils.video import iter_frames, video_key

STORE_VERSION = 2
"""Part of every store's key. Raise it when a change of this package alters the crops of a video."""

NO_FACE = "no face was found in any frame"


@dataclass(frozen=True)
class CropStore:
    """Crops of every frame of a set of clips.

    Attributes
    ----------
    crops
        uint8 (frames, 7, size, size, 3), RGB, components in the order of `COMPONENTS`; memory-mapped, read-only.
    available
        bool (frames, 7): the face was found in that frame and the component is inside the picture.
    clips
        The clip table's columns, and first (the clip's first row in `crops`) and frames (its number of rows).
    excluded
        Clips without crops: corpus, clip_id, path, source_label, reason.
    key
        Hash of everything that decides the crops.
    style
        The crops' style, see `components.crop_components`.
    """

    crops: NDArray[np.uint8]
    available: NDArray[np.bool_]
    clips: pd.DataFrame
    excluded: pd.DataFrame
    key: str
    style: str = "aligned"


def crop_clip(
    path: str | os.PathLike[str],
    *,
    size: int = 32,
    style: Style = "aligned",
    max_frames: int | None = None,
    tracker: str | None = None,
    processed: str | os.PathLike[str] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return crops uint8 (frames, 7, size, size, 3) RGB and their availability, bool (frames, 7), of one video.

    Before the first frame with a face there are no landmarks to crop by: those crops are black and not available.
    `processed` is the folder that keeps landmarks, data/processed by default; the other options are those of
    `crop_store`.

    Raises
    ------
    DataError
        The video can't be read, or no frame shows a face.
    """
    table = clip_landmarks(path, tracker=tracker, cache=processed)
    points, success = landmark_array(table), success_array(table)
    points, success = points[: max_frames or None], success[: max_frames or None]
    if not success.any():
        raise DataError(path, NO_FACE, "Look at the video, or leave the clip out.")
    crops = np.zeros((len(points), len(COMPONENTS), size, size, 3), np.uint8)
    available = np.zeros(crops.shape[:2], bool)
    first = int(success.argmax())
    for k, (_, frame) in zip(range(len(points)), iter_frames(path), strict=False):
        if k >= first:
            crops[k] = crop_components(frame, points[k], size=size, style=style)
            available[k] = component_available(points[k], frame.shape, success=bool(success[k]), style=style)
    return crops, available


def crop_store(
    clips: pd.DataFrame,
    *,
    size: int = 32,
    style: Style = "aligned",
    max_frames: int | None = None,
    tracker: str | None = None,
    jobs: int | None = None,
) -> CropStore:
    """Return the crop store of a clip table; it is built if it isn't cached yet.

    Parameters
    ----------
    clips
        The clip table of `corpora.load_clips`.
    size
        Height and width of a crop in pixels.
    style
        "aligned" or "published"; see `components.crop_components`.
    max_frames
        Use only a clip's first frames at 30 fps (the authors' code used 40); None or 0 uses all.
    tracker
        Name of the landmark tracker; None is the choice of `landmarks.chosen_tracker`.
    jobs
        Number of processes; None is one per processor.

    Returns
    -------
    CropStore
        A clip whose video can't be read or shows no face never stops a run: it is listed in `.excluded`.

    Raises
    ------
    DataError
        No clip gave crops, or the disk is too full to hold them.
    """
    tracker = chosen_tracker(tracker)
    files = clips["path"].to_list()
    made_from: dict[str, Any] = {
        "version": STORE_VERSION,
        "size": size,
        "style": style,
        "max_frames": max_frames or None,
        "landmarks": tracker_key(tracker),
        "components": COMPONENTS,
        "videos": [_video_key(path) for path in files],
        "table": cache.content_key(rows=clips.drop(columns="path").to_dict("records")),
    }
    problems = [""] * len(files)
    folder = _store_folder(files, made_from)
    if not cache.ready(folder):
        problems = get_tracker(tracker).problems_ahead(files, jobs=jobs)
        folder = _store_folder(files, made_from)  # OpenFace's tables exist now
    with cache.lock(folder):
        if cache.ready(folder) or _build_store(files, folder, made_from, problems, jobs=jobs):
            return _open_store(folder, clips, style)
    return crop_store(clips, size=size, style=style, max_frames=max_frames, tracker=tracker, jobs=jobs)


def join_stores(stores: Sequence[CropStore]) -> CropStore:
    """Return stores of one size and style as one store; their crops are copied, in order, into one cached file.

    Raises
    ------
    ValueError
        The stores differ in size or style.
    DataError
        The disk is too full to hold the copy.
    """
    kinds = {(*store.crops.shape[1:], store.style) for store in stores}
    if len(kinds) != 1:
        raise ValueError(f"only stores of one size and style can be joined, not {sorted(kinds)}")
    key = cache.content_key(version=STORE_VERSION, joined=[store.key for store in stores])
    folder = paths.PROCESSED / "stores" / key
    starts = np.cumsum([0, *(len(store.crops) for store in stores)])
    with cache.lock(folder):
        if not cache.ready(folder):
            building = folder.with_name(f"{folder.name}.building")  # the next try overwrites a copy that was killed
            building.mkdir(parents=True, exist_ok=True)
            cache.reserve_array(building / "crops.npy", (int(starts[-1]), *stores[0].crops.shape[1:]))
            for store, start in zip(stores, starts[:-1], strict=True):
                cache.write_rows(building / "crops.npy", int(start), store.crops)
            cache.finish_folder(building, folder)
    clips = [store.clips.assign(first=store.clips["first"] + n) for store, n in zip(stores, starts[:-1], strict=True)]
    return CropStore(
        np.load(folder / "crops.npy", mmap_mode="r"),
        np.concatenate([store.available for store in stores]),
        pd.concat(clips, ignore_index=True),
        pd.concat([store.excluded for store in stores], ignore_index=True),
        key,
        stores[0].style,
    )


def _video_key(path: str) -> str:
    """Return a clip's key, or the problem of its file, which is reported when its landmarks are looked for."""
    try:
        return lost_clips.remembered(path) or video_key(path)
    except DataError as error:
        return error.problem


def _store_folder(files: list[str], made_from: dict[str, Any]) -> Path:
    """Return where a store is cached. Its key holds OpenFace's tables, if used: they arrive, or fail, clip by clip."""
    more = {"tables": kept_keys(files, "openface")} if made_from["landmarks"]["tracker"] == "openface" else {}
    return paths.PROCESSED / "stores" / cache.content_key(**made_from, **more)


def _build_store(
    files: list[str], folder: Path, made_from: dict[str, Any], problems: list[str], *, jobs: int | None
) -> bool:
    """Write the store's folder: first the landmarks, which also tell each clip's length, then the crops.

    Returns False, and leaves nothing, if a clip was lost meanwhile (`support.lost_clips`): its key has changed.
    Each clip's crops go straight to their rows of one file, so that only one clip per process is in memory. The clip's
    availability is written after them, with a checksum of the crops; a build that was killed resumes with the clips
    that have none, or other crops.
    """
    options = {name: made_from[name] for name in ("size", "style", "max_frames")}
    options |= {"tracker": made_from["landmarks"]["tracker"], "processed": paths.PROCESSED}
    good = [k for k, problem in enumerate(problems) if not problem]
    calls = [(files[k], options) for k in good]
    counted = run_parallel(_count_frames, calls, desc="finding landmarks", jobs=jobs, lost=lambda problem: (0, problem))
    frames, reasons = np.zeros(len(files), np.int64), list(problems)
    for k, (count, reason) in zip(good, counted, strict=True):
        frames[k], reasons[k] = count, reason
    used = np.flatnonzero(frames)
    if not len(used):
        found = "; ".join(f"{n} x {reason}" for reason, n in Counter(reasons).most_common())
        remedy = "Look at this file first: can it be played, and does it show a face from the front?"
        others = f", nor any other of the {len(files)} clips" if len(files) > 1 else ""
        raise DataError(files[0], f"can't be used{others}: {found}", remedy)

    building = folder.with_name(f"{folder.name}.building")
    building.mkdir(parents=True, exist_ok=True)
    size, first = made_from["size"], np.cumsum(frames) - frames
    crops_file, parts = building / "crops.npy", {k: building / f"available_{k}.npz" for k in used}
    cache.reserve_array(crops_file, (int(frames.sum()), len(COMPONENTS), size, size, 3))
    todo = [k for k in used if not cache.rows_are_kept(crops_file, int(first[k]), int(frames[k]), parts[k])]
    written = [(files[k], crops_file, int(first[k]), parts[k], options) for k in todo]
    run_parallel(_write_crops, written, desc="cropping components", jobs=jobs, lost=str)
    if made_from["videos"] != [_video_key(path) for path in files]:  # one was lost, and is part of another store
        shutil.rmtree(building)
        return False

    np.save(building / "available.npy", np.concatenate([np.load(part)["about"] for part in parts.values()]))
    for part in parts.values():
        cache.remove(part)
    pd.DataFrame({"first": first, "frames": frames, "reason": reasons}).to_csv(building / "index.csv", index=False)
    (building / "made_from.json").write_text(json.dumps(made_from, indent=2))
    cache.finish_folder(building, folder)
    return True


def _count_frames(path: str, options: dict[str, Any]) -> tuple[int, str]:
    """Return (frames, "") of a usable clip, or (0, reason). The landmarks are cached on the way."""
    try:
        table = clip_landmarks(path, tracker=options["tracker"], cache=options["processed"])
    except DataError as error:
        return 0, error.problem
    success = success_array(table)[: options["max_frames"]]
    return (len(success), "") if success.any() else (0, NO_FACE)


def _write_crops(path: str, crops_file: Path, first: int, available_file: Path, options: dict[str, Any]) -> None:
    crops, available = crop_clip(path, **options)
    cache.write_rows(crops_file, first, crops)
    cache.note_rows(available_file, crops, available)


def _open_store(folder: Path, clips: pd.DataFrame, style: str) -> CropStore:
    index = pd.read_csv(folder / "index.csv", keep_default_na=False)
    used = (index["reason"] == "").to_numpy()
    table = clips.reset_index(drop=True)
    good = table[used].assign(first=index.loc[used, "first"], frames=index.loc[used, "frames"]).reset_index(drop=True)
    bad = table[~used].assign(reason=index.loc[~used, "reason"])[EXCLUDED_COLUMNS].reset_index(drop=True)
    crops = np.load(folder / "crops.npy", mmap_mode="r")
    return CropStore(crops, np.load(folder / "available.npy"), good, bad, folder.name, style)
