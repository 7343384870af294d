"""Clips -> crop store: the crops of every frame (paper, sections III.B and IV.B), as one memory-mapped array.

A segment is a window over the store, so segment length, step and colour cost no second copy. A store is keyed by the
hash of what made it and built clip by clip; a killed run continues where it stopped.
"""

import json
import math
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
from microx_utils.support import cache, paths
from microx_utils.support.errors import DataError
from microx_utils.support.parallel import run_parallel
from microx_utils.video import iter_frames, video_key

STORE_VERSION = 2
"""Raise when the crops of the same video would come out differently, so that old caches are not taken for new."""


NO_FACE = "no face was found in any frame"


@dataclass(frozen=True)
class CropStore:
    """Crops of every frame of a set of clips.

    Attributes
    ----------
    crops
        uint8 (frames, 7, size, size, 3), RGB, components in the order of `COMPONENTS`; memory-mapped, read-only.
    available
        bool (frames, 7): the component was found in that frame, inside the picture.
    clips
        The clip table's columns, and first (the clip's first row in `crops`) and frames (how many it has).
    excluded
        Clips that gave no crops: corpus, clip_id, path, source_label, reason.
    key
        Hash of everything that made the store.
    style
        The crops' style, see `components.crop_components`.
    """

    crops: NDArray[np.uint8]
    available: NDArray[np.bool_]
    clips: pd.DataFrame
    excluded: pd.DataFrame
    key: str
    style: str = "aligned"


def crop_store(
    clips: pd.DataFrame,
    *,
    size: int = 32,
    style: Style = "aligned",
    max_frames: int | None = None,
    tracker: str | None = None,
    jobs: int | None = None,
) -> CropStore:
    """Return the crop store of a clip table, building what is not cached yet.

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
        Name of the landmark tracker; None is `landmarks.chosen_tracker`'s choice.
    jobs
        Processes to run; None takes one for each processor.

    Returns
    -------
    CropStore
        Clips whose video or face can't be used stand in `.excluded` with the reason; one bad clip never stops a run.

    Raises
    ------
    DataError
        Not one clip gave crops, or the disk is too full to hold them.
    """
    tracker = chosen_tracker(tracker)
    made_from: dict[str, Any] = {
        "version": STORE_VERSION,
        "size": size,
        "style": style,
        "max_frames": max_frames or None,
        "landmarks": tracker_key(tracker),
        "components": COMPONENTS,
    }
    files = clips["path"].to_list()
    made_from["videos"] = [_video_key(path) for path in files]
    made_from["table"] = cache.content_key(rows=clips.drop(columns="path").to_dict("records"))
    problems = [""] * len(files)
    folder = _store_folder(files, made_from)
    if not folder.is_dir():
        problems = get_tracker(tracker).problems_ahead(files, jobs=jobs)
        folder = _store_folder(files, made_from)  # OpenFace's tables are there now
    with cache.lock(folder):
        if not folder.is_dir():
            _build_store(clips, folder, made_from, problems, jobs=jobs)
    return _open_store(folder, clips, folder.name, style)


def join_stores(stores: Sequence[CropStore]) -> CropStore:
    """Return stores of one size and style as one: their clips in order, their crops copied into one file, once.

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
        if not folder.is_dir():
            building = folder.with_name(f"{folder.name}.building")  # a killed copy is written over by the next
            building.mkdir(parents=True, exist_ok=True)
            _reserve(building / "crops.npy", (int(starts[-1]), *stores[0].crops.shape[1:]))
            for store, start in zip(stores, starts[:-1], strict=True):
                _write_rows(building / "crops.npy", int(start), store.crops)
            building.replace(folder)
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
    """Return a clip's key, or what is wrong with its file: it is listed when its frames are counted."""
    try:
        return video_key(path)
    except DataError as error:
        return error.problem


def _store_folder(files: list[str], made_from: dict) -> Path:
    """Return where a store is kept. OpenFace's tables are part of its key: they are imported, or fail, clip by clip."""
    more = {"tables": kept_keys(files, "openface")} if made_from["landmarks"]["tracker"] == "openface" else {}
    return paths.PROCESSED / "stores" / cache.content_key(**made_from, **more)


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

    Frames before the first found face have no landmarks to crop by: their crops are black and not available.
    `processed` is the folder that keeps landmarks, in place of data/processed; the other options are those of
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
    seen = False
    for k, (_, frame) in zip(range(len(points)), iter_frames(path), strict=False):
        seen = seen or bool(success[k])
        if seen:
            crops[k] = crop_components(frame, points[k], size=size, style=style)
            available[k] = component_available(points[k], frame.shape, success=bool(success[k]), style=style)
    return crops, available


def _build_store(clips: pd.DataFrame, folder: Path, made_from: dict, problems: list[str], *, jobs: int | None) -> None:
    """Write the store into `folder`: landmarks first, which also tells every clip's length, then the crops.

    The crops go straight to their rows in one file, one clip in memory at a time. A clip's availability file is
    written after its crops, so that a killed run goes on with the first clip that has none.
    """
    videos = clips["path"].to_list()
    good = [k for k, problem in enumerate(problems) if not problem]
    style_of = {name: made_from[name] for name in ("size", "style", "max_frames", "landmarks")}
    calls = [(videos[k], style_of, paths.PROCESSED) for k in good]
    counts = run_parallel(_count_frames, calls, desc="finding landmarks", jobs=jobs)
    frames, reasons = np.zeros(len(videos), np.int64), list(problems)
    for k, (count, reason) in zip(good, counts, strict=True):
        frames[k], reasons[k] = count, reason
    used = np.flatnonzero(frames)
    if not len(used):
        counted = "; ".join(f"{n} x {reason}" for reason, n in Counter(reasons).most_common())
        remedy = "Look at this file first: can it be played, and does it show a face from the front?"
        others = f", nor any other of the {len(videos)} clips" if len(videos) > 1 else ""
        raise DataError(videos[0], f"can't be used{others}: {counted}", remedy)

    building = folder.with_name(f"{folder.name}.building")
    building.mkdir(parents=True, exist_ok=True)
    size, first = made_from["size"], np.cumsum(frames) - frames
    shape = (int(frames.sum()), len(COMPONENTS), size, size, 3)
    _reserve(building / "crops.npy", shape)
    todo = [
        (
            videos[k],
            building / "crops.npy",
            building / f"available_{k}.npy",
            int(first[k]),
            int(frames[k]),
            style_of,
            paths.PROCESSED,
        )
        for k in used
        if not (building / f"available_{k}.npy").exists()
    ]
    if todo:
        run_parallel(_write_crops, todo, desc="cropping components", jobs=jobs)

    parts = [building / f"available_{k}.npy" for k in used]
    np.save(building / "available.npy", np.concatenate([np.load(part) for part in parts]))
    for part in parts:
        part.unlink()
    pd.DataFrame({"first": first, "frames": frames, "reason": reasons}).to_csv(building / "index.csv", index=False)
    (building / "made_from.json").write_text(json.dumps(made_from, indent=2))
    building.replace(folder)


def _count_frames(path: str, made_from: dict, processed: Path) -> tuple[int, str]:
    """Return (frames, "") of a usable clip, or (0, reason). The landmarks are cached on the way."""
    try:
        table = clip_landmarks(path, tracker=made_from["landmarks"]["tracker"], cache=processed)
    except DataError as error:
        return 0, error.problem
    success = success_array(table)[: made_from["max_frames"]]
    return (len(success), "") if success.any() else (0, NO_FACE)


def _reserve(path: Path, shape: tuple[int, ...]) -> None:
    """Make an array file of the full size, unless it is there; say so when the disk can't hold it."""
    if path.exists():
        return
    needed, free = math.prod(shape), shutil.disk_usage(path.parent).free
    if needed > free - 2**28:  # leave a quarter of a gibibyte
        problem = f"the crops need {needed / 2**30:.1f} GiB and the disk has {free / 2**30:.1f} GiB free"
        raise DataError(path, problem, "Free some space, or set MICROX_PROCESSED to a larger disk.")
    with cache.atomic_file(path) as temporary:
        np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape).flush()


def _write_crops(
    path: str, crops_file: Path, available_file: Path, first: int, frames: int, made_from: dict, processed: Path
) -> None:
    size, style, tracker = made_from["size"], made_from["style"], made_from["landmarks"]["tracker"]
    crops, available = crop_clip(path, size=size, style=style, max_frames=frames, tracker=tracker, processed=processed)
    _write_rows(crops_file, first, crops)
    with cache.atomic_file(available_file) as temporary:
        np.save(temporary, available)


def _write_rows(crops_file: Path, first: int, crops: NDArray[np.uint8]) -> None:
    """Write crops into an array file, from row `first` on."""
    with crops_file.open("r+b") as file:
        # written, not memory-mapped: a disk that fills up then raises an error instead of killing the process
        data_start = crops_file.stat().st_size - math.prod(_shape(crops_file))
        file.seek(data_start + first * crops[0].nbytes)
        file.write(np.ascontiguousarray(crops).data)


def _shape(array_file: Path) -> tuple[int, ...]:
    return np.load(array_file, mmap_mode="r").shape


def _open_store(folder: Path, clips: pd.DataFrame, key: str, style: str) -> CropStore:
    index = pd.read_csv(folder / "index.csv", keep_default_na=False)
    used = (index["reason"] == "").to_numpy()
    table = clips.reset_index(drop=True)
    good = table[used].assign(first=index.loc[used, "first"], frames=index.loc[used, "frames"]).reset_index(drop=True)
    bad = table[~used].assign(reason=index.loc[~used, "reason"])[EXCLUDED_COLUMNS].reset_index(drop=True)
    crops = np.load(folder / "crops.npy", mmap_mode="r")
    return CropStore(crops, np.load(folder / "available.npy"), good, bad, key, style)
