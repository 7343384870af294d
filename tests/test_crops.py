"""The crop store: equal to cropping by hand, cached by what made it, resumable, and never stopped by one bad clip."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microx_utils import crops as cr
from microx_utils import segments as sg
from microx_utils.components import COMPONENTS
from microx_utils.landmarks import clip_landmarks, kept_table, write_openface_csv
from microx_utils.support import lost_clips
from microx_utils.support.errors import DataError
from microx_utils.trackers import mesh, openface
from microx_utils.video import read_frames, write_video


@pytest.fixture
def processed(tmp_path, monkeypatch):
    monkeypatch.setattr("microx_utils.support.paths.PROCESSED", tmp_path / "processed")
    return tmp_path / "processed"


@pytest.fixture
def clips(tmp_path, clip_path):
    """A good clip, a corrupt one and one without a face."""
    shutil.copy(clip_path, tmp_path / "good.mp4")
    (tmp_path / "corrupt.mp4").write_bytes(b"\0" * 2000)
    write_video(tmp_path / "grey.mp4", np.full((12, 64, 64, 3), 127, np.uint8))
    return pd.DataFrame(
        {
            "clip_id": [f"BAUM-2/S000_{k:03d}" for k in range(3)],
            "corpus": "BAUM-2",
            "subject": "S000",
            "emotion": ["neutral", "anger", "contempt"],
            "source_label": "",
            "path": [str(tmp_path / name) for name in ("good.mp4", "corrupt.mp4", "grey.mp4")],
            "condition": "plain",
            "split_group": "BAUM-2:S000",
            "note": "",
        }
    )


def test_one_bad_clip_never_stops_the_corpus(processed, clips):
    store = cr.crop_store(clips, size=16, max_frames=12, jobs=1)
    assert store.clips["clip_id"].to_list() == ["BAUM-2/S000_000"]
    assert store.crops.shape == (12, len(COMPONENTS), 16, 16, 3) and store.crops.dtype == np.uint8
    assert store.available.all()
    assert not store.crops.flags.writeable
    assert store.excluded["clip_id"].to_list() == ["BAUM-2/S000_001", "BAUM-2/S000_002"]
    assert store.excluded["reason"].to_list()[1] == "no face was found in any frame"


def test_store_equals_cropping_by_hand_and_is_cached(processed, clips, monkeypatch):
    store = cr.crop_store(clips, size=16, max_frames=12, jobs=2)
    crops, available = cr.crop_clip(clips["path"][0], size=16, max_frames=12)
    np.testing.assert_array_equal(store.crops, crops)
    np.testing.assert_array_equal(store.available, available)
    monkeypatch.setattr(cr, "_build_store", lambda *args, **kwargs: pytest.fail("was cached"))
    assert cr.crop_store(clips, size=16, max_frames=12).key == store.key


def test_a_face_that_appears_too_late_is_an_exclusion(processed, clips, tmp_path, clip_path):
    frames, _ = read_frames(clip_path)
    late = frames.copy()
    late[:26] = 127
    write_video(tmp_path / "grey.mp4", late)
    store = cr.crop_store(clips, size=16, max_frames=20, jobs=1)
    assert store.clips["clip_id"].to_list() == ["BAUM-2/S000_000"]
    assert store.excluded["reason"].to_list()[1] == cr.NO_FACE
    whole = cr.crop_store(clips, size=16, jobs=1)
    first, count = (int(whole.clips[column][1]) for column in ("first", "frames"))
    seen = whole.available[first : first + count, 0]
    assert not seen[:20].any() and seen[-10:].all()
    segments = sg.make_segments(whole.clips, available=whole.available)
    assert len(sg.make_segments(whole.clips)) - len(segments) in (2, 3)  # those before the face are left out


def test_joined_stores_are_what_one_store_of_all_clips_is(processed, clips, tmp_path, clip_path, monkeypatch):
    film = read_frames(clip_path)[0]
    write_video(tmp_path / "grey.mp4", film[::-1])
    whole = cr.crop_store(clips, size=16, max_frames=20, jobs=1)
    parts = [cr.crop_store(part, size=16, max_frames=20, jobs=1) for part in (clips[:2], clips[2:])]
    joined = cr.join_stores(parts)
    np.testing.assert_array_equal(joined.crops, whole.crops)
    np.testing.assert_array_equal(joined.available, whole.available)
    pd.testing.assert_frame_equal(joined.clips, whole.clips)
    pd.testing.assert_frame_equal(joined.excluded, whole.excluded)
    assert len(joined.clips) == 2
    assert not joined.crops.flags.writeable
    monkeypatch.setattr(cr.cache, "write_rows", lambda *_: pytest.fail("was cached"))
    assert cr.join_stores(parts).key == joined.key not in {part.key for part in parts}


def test_stores_that_do_not_fit_are_not_joined(processed, clips, monkeypatch):
    small = cr.crop_store(clips, size=16, max_frames=12, jobs=1)
    for other in ({"size": 20}, {"style": "published"}):
        with pytest.raises(ValueError, match="only stores of one size and style"):
            cr.join_stores([small, cr.crop_store(clips, **({"size": 16, "max_frames": 12, "jobs": 1} | other))])
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(DataError, match="free"):
        cr.join_stores([small, small])
    assert len(list((processed / "stores").glob("*/crops.npy"))) == 3  # nothing half-written
    monkeypatch.undo()
    monkeypatch.setattr("microx_utils.support.paths.PROCESSED", processed)
    assert len(cr.join_stores([small, small]).crops) == 2 * len(small.crops)


def test_store_key_follows_settings_and_tracker(processed, clips, monkeypatch):
    def key(**options):
        return cr.crop_store(clips, **({"size": 16, "max_frames": 12, "jobs": 1} | options)).key

    keys = [key(), key(size=20), key(max_frames=10), key(style="published")]
    monkeypatch.setattr(mesh, "VERSION", 99)
    keys.append(key())
    assert len(set(keys)) == 5


def test_store_key_follows_pixels_and_labels(processed, clips, tmp_path, clip_path):
    key = cr.crop_store(clips, size=16, max_frames=12, jobs=1).key
    relabelled = clips.assign(emotion="sad")
    assert cr.crop_store(relabelled, size=16, max_frames=12, jobs=1).key != key
    frames, _ = read_frames(clip_path)
    write_video(tmp_path / "good.mp4", frames[:, :, ::-1])
    assert cr.crop_store(clips, size=16, max_frames=12, jobs=1).key != key


def test_killed_build_goes_on_and_is_never_taken_for_whole(processed, clips, tmp_path, clip_path, monkeypatch):
    shutil.copy(clip_path, tmp_path / "second.mp4")
    clips.loc[2, "path"] = str(tmp_path / "second.mp4")
    write_crops = cr._write_crops

    def killed_at_second(path, *args):
        if path.endswith("second.mp4"):
            raise KeyboardInterrupt
        write_crops(path, *args)

    with monkeypatch.context() as patch:
        patch.setattr(cr, "_write_crops", killed_at_second)
        with pytest.raises(KeyboardInterrupt):
            cr.crop_store(clips, size=16, max_frames=12, jobs=1)
    assert not [path for path in (processed / "stores").iterdir() if path.is_dir() and path.suffix != ".building"]

    written = []

    def noted(path, *args):
        written.append(path)
        write_crops(path, *args)

    monkeypatch.setattr(cr, "_write_crops", noted)
    store = cr.crop_store(clips, size=16, max_frames=12, jobs=1)
    assert written == [str(tmp_path / "second.mp4")]  # the first clip's crops were kept
    np.testing.assert_array_equal(store.crops[:12], store.crops[12:])


def test_a_build_that_was_killed_and_harmed_ends_as_any_other(processed, clips, tmp_path, clip_path, monkeypatch):
    shutil.copy(clip_path, tmp_path / "second.mp4")
    clips.loc[2, "path"] = str(tmp_path / "second.mp4")
    write_crops = cr._write_crops

    def killed_after_first(path, *args):
        write_crops(path, *args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cr, "_write_crops", killed_after_first)
        with pytest.raises(KeyboardInterrupt):
            cr.crop_store(clips, size=16, max_frames=12, jobs=1)
    (crops,) = (processed / "stores").glob("*.building/crops.npy")
    data = bytearray(crops.read_bytes())
    data[200:300] = bytes(100)  # of the first clip
    crops.write_bytes(data)
    store = cr.crop_store(clips, size=16, max_frames=12, jobs=1)
    np.testing.assert_array_equal(store.crops[:12], store.crops[12:])
    assert not list((processed / "stores" / store.key).glob("*.npz"))


def test_full_disk_is_told_beforehand(processed, clips, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(DataError, match=r"GiB free.*MICROX_PROCESSED"):
        cr.crop_store(clips, size=16, max_frames=12, jobs=1)


def test_nothing_usable(processed, clips):
    with pytest.raises(
        DataError, match=r"corrupt\.mp4: can't be used, nor any other of the 2 clips: 1 x .*; 1 x no face"
    ):
        cr.crop_store(clips.iloc[1:], size=16, jobs=1)


def test_tables_imported_later_make_another_store(processed, clips, tmp_path, monkeypatch):
    """OpenFace's landmarks come clip by clip: a store must not keep the answer of the day before."""
    monkeypatch.setattr(openface, "find_program", lambda: None)
    pair = clips.iloc[:2].copy()
    first, second = pair["path"].iloc[0], str(tmp_path / "second.mp4")
    box = b"\0\0\0\x10free12345678"  # the same pictures, other bytes: players skip this box of an MP4
    Path(second).write_bytes(Path(first).read_bytes() + box)
    pair["path"] = [first, second]
    write_openface_csv(clip_landmarks(first, tracker="mesh"), kept_table(first, "openface"))
    one = cr.crop_store(pair, size=16, max_frames=8, tracker="openface", jobs=1)
    assert one.excluded["reason"].str.contains("no landmarks by OpenFace yet").to_list() == [True]
    table = clip_landmarks(second, tracker="mesh")
    write_openface_csv(table, kept_table(second, "openface"))
    both = cr.crop_store(pair, size=16, max_frames=8, tracker="openface", jobs=1)
    assert both.excluded.empty
    assert one.key != both.key
    write_openface_csv(table.assign(x_30=table["x_30"] + 1), kept_table(second, "openface"))
    assert cr.crop_store(pair, size=16, max_frames=8, tracker="openface", jobs=1).key not in {one.key, both.key}


@pytest.mark.parametrize("fault", ["gone", "a folder", "a pipe"])
def test_a_file_that_cant_be_opened_is_an_exclusion(processed, clips, tmp_path, fault):
    odd = tmp_path / "odd.mp4"
    if fault == "a folder":
        odd.mkdir()
    elif fault == "a pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("no pipes here")
        os.mkfifo(odd)
    table = clips.iloc[:2].copy()
    table.loc[table.index[1], "path"] = str(odd)
    store = cr.crop_store(table, size=16, max_frames=8, jobs=1)
    assert store.excluded["reason"].to_list() == ["no such file, or not a file"]
    assert len(store.clips) == 1


def test_a_clip_that_is_lost_while_it_is_cropped_leaves_a_store_of_the_others(processed, clips, clip_path, monkeypatch):
    """Its landmarks were found; the process died afterwards. The store is made anew once the note is deleted."""
    shutil.copy(clip_path, clips["path"][1])
    write_crops = cr._write_crops

    def lose(path, *rest):
        if "corrupt" in path:
            lost_clips.remember(path, lost_clips.CRASHED)
        else:
            write_crops(path, *rest)

    monkeypatch.setattr(cr, "_write_crops", lose)
    store = cr.crop_store(clips, size=16, max_frames=12, jobs=1)
    assert store.clips["clip_id"].to_list() == ["BAUM-2/S000_000"]
    assert store.excluded["reason"].str.startswith(lost_clips.CRASHED).to_list() == [True, False]
    monkeypatch.setattr(cr, "_write_crops", write_crops)
    shutil.rmtree(processed / "lost")
    assert len(cr.crop_store(clips, size=16, max_frames=12, jobs=1).clips) == 2
