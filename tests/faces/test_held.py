"""A picture that is held still: cropped as in the pipeline, and answered as a segment whose frames are all alike."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tiny_run import TINY, fake_store

from microx_utils.crops import crop_clip
from microx_utils.faces.held import held_probabilities, look_at
from microx_utils.labels import PROBABILITIES
from microx_utils.segments import make_segments
from microx_utils.trackers.mesh import MeshTracker
from microx_utils.training import predict, train
from microx_utils.video import read_frames


@pytest.fixture(scope="module")
def tracker() -> MeshTracker:
    return MeshTracker()


def test_a_picture_is_cropped_as_the_first_frame_of_its_clip(
    clip_path: Path, tmp_path: Path, tracker: MeshTracker
) -> None:
    crops, available = crop_clip(clip_path, size=32, processed=tmp_path)
    first, last = read_frames(clip_path)[0][[0, -1]]
    look_at(last, tracker, size=32)  # leaves no trace
    sight = look_at(first, tracker, size=32)
    assert sight.found and (sight.available == available[0]).all()
    assert np.abs(sight.crops.astype(int) - crops[0]).max() <= 3  # the clip's landmarks are rounded to 0.01 px


def test_without_a_face_crops_are_black_and_nothing_is_available(tracker: MeshTracker) -> None:
    sight = look_at(np.full((128, 128, 3), 90, np.uint8), tracker, size=16)
    assert not sight.found
    assert not sight.crops.any() and not sight.available.any()


def test_the_answer_is_that_to_a_segment_of_equal_frames(tmp_path: Path) -> None:
    run = train(TINY, fake_store(), cache=tmp_path / "runs", progress=False)
    stills = fake_store(subjects=2, frames=1, key="stills")  # clips of one frame, which a segment repeats
    segments = make_segments(stills.clips, length=TINY.frames, step=TINY.step, short_clips="repeat")
    expected = predict(run, stills, segments, cache=tmp_path)[list(PROBABILITIES)].to_numpy()
    found = held_probabilities(run.load_model(), run.experiment, stills.crops, batch=4)  # the last is filled up
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.ptp(found, axis=0).max() > 0.01
    moving = dataclasses.replace(stills, crops=stills.crops[::-1])
    assert not np.allclose(held_probabilities(run.load_model(), run.experiment, moving.crops), expected, atol=1e-3)
