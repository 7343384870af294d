"""Every face of a video is followed by itself."""

import numpy as np
import pytest

from microx_utils.apply.tracks import GONE, track_faces
from microx_utils.crops import crop_clip
from microx_utils.trackers.mesh import MeshTracker


def test_one_person_is_followed_as_the_pipeline_does(clip_path, smile: np.ndarray, tmp_path) -> None:
    (track,) = track_faces(smile)
    crops, given = crop_clip(clip_path, processed=tmp_path)
    assert track.number == 1 and track.first == 0 and track.found.all()
    assert track.crops.shape == crops.shape and (track.given == given).all()
    assert np.abs(track.crops.astype(int) - crops).max() <= 2, "landmark tables are rounded to 0.01 px"


def test_who_comes_and_leaves_has_a_track_of_that_time(two_people: np.ndarray) -> None:
    first, second = track_faces(two_people)
    assert (first.number, first.first, len(first.found)) == (1, 0, 60) and first.found.all()
    assert second.number == 2 and 15 <= second.first <= 25
    assert second.first + len(second.found) == 50, "the track ends with the last frame that shows the face"
    assert first.points[..., 0].max() < 256 < second.points[..., 0].min()


def test_a_face_belongs_to_one_person(smile: np.ndarray) -> None:
    """Who is lost is searched for, and must not be found where somebody else is."""
    left, right = smile, smile.copy()
    right[20:] = 120
    tracks = track_faces(np.concatenate([left, right], axis=2))
    assert [len(track.found) for track in tracks] == [60, 20]


def test_who_comes_back_after_a_while_is_someone_new(smile: np.ndarray) -> None:
    away = np.full_like(smile[:1], 120).repeat(GONE + 5, axis=0)
    tracks = track_faces([*smile[:20], *away, *smile[:20]])
    assert [len(track.found) for track in tracks] == [20, 15], "new faces are looked for every tenth frame"
    assert tracks[1].first == 90
    short = track_faces([*smile[:20], *away[:15], *smile[:20]])
    assert [len(track.found) for track in short] == [55] and short[0].found.sum() == 40
    assert not short[0].given[20:35].any()


def test_what_flashes_by_is_nobody(smile: np.ndarray) -> None:
    assert track_faces([*smile[:8], *np.full_like(smile[:20], 120)]) == []
    assert track_faces(np.full_like(smile[:12], 120)) == []


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_people_than_asked_for(two_people: np.ndarray, most: int) -> None:
    assert len(track_faces(two_people, most=most)) == most


def test_a_tracker_begins_with_the_face_it_is_given(two_people: np.ndarray) -> None:
    tracker = MeshTracker()
    faces = sorted(tracker._near(two_people[30]), key=lambda face: face.centre[0])
    assert len(faces) == 2
    for face, side in zip(faces, (0, 1), strict=True):
        tracker.begin(face)
        found = tracker(two_people[30])
        assert found.success and found.points[:, 0].mean() // 256 == side
