"""A face in a stream: the same answers as of a clip, and everything that can go wrong before a camera."""

from collections.abc import Iterable

import cv2
import numpy as np
import pytest

from microx_utils.apply.answers import answer_video
from microx_utils.apply.compiled import Halves, compiled, plain
from microx_utils.apply.stream import SMALLEST, Moment, Stream
from microx_utils.components import FULL_FACE
from microx_utils.labels import PROBABILITIES
from microx_utils.robust.network import Network
from microx_utils.video import FPS, read_frames

NOBODY = np.full((256, 256, 3), 120, np.uint8)


@pytest.fixture(scope="module")
def halves(lively: Network, tmp_path_factory: pytest.TempPathFactory) -> Halves:
    made = compiled(lively, cache=tmp_path_factory.mktemp("compiled"))
    assert made.kind == "float"
    return made


class Spy:
    """The halves of a network, and what they were asked."""

    def __init__(self, halves: Halves) -> None:
        self.frames: list[dict[str, np.ndarray]] = []
        self.spans: list[np.ndarray] = []
        self.halves = Halves(halves.kind, halves.size, self._frame, self._span)
        self._real = halves

    def _frame(self, inputs):
        self.frames.append(dict(inputs))
        return self._real.frame(inputs)

    def _span(self, inputs):
        self.spans.append(inputs["faces"])
        return self._real.span(inputs)


def push_all(stream: Stream, frames: Iterable[np.ndarray], start: float = 0.0) -> list[Moment]:
    return [stream.push(frame, start + number / FPS) for number, frame in enumerate(frames)]


def test_a_clip_pushed_at_its_own_speed_gets_the_answers_of_predict(lively, halves, clip_path):
    answer = answer_video(clip_path, network=lively)
    moments = push_all(Stream(halves), read_frames(clip_path)[0])
    segments = answer.table.query("unit == 'segment'")
    assert len(segments) == 6
    wanted = segments[list(PROBABILITIES)].to_numpy(float)
    assert np.ptp(wanted, axis=0).max() > 0.001, "the segments don't differ, so the comparison says nothing"
    ends = (segments["first"] + segments["frames"] - 1).to_list()
    given = np.array([moments[end].probabilities for end in ends])
    np.testing.assert_allclose(given, wanted, atol=2e-4)  # the table has four digits
    (said,) = answer.answers
    for frame, available, weights in zip(said.frames, said.available, said.weights, strict=True):
        if frame < 2:  # the own neutral was not yet complete when these were answered
            continue
        np.testing.assert_allclose(moments[frame].available, available, atol=1e-4)
        np.testing.assert_allclose(moments[frame].weights, weights, atol=1e-4)
    np.testing.assert_allclose([m.points for m in moments], answer.tracks[0].points, atol=0.01)
    assert not any(moment.problems for moment in moments)
    assert [moment.neutral for moment in moments[:4]] == [1, 2, 3, 3]


def test_each_frame_is_looked_at_once_and_keras_says_the_same(lively, halves, smile):
    spy, slow = Spy(halves), Spy(plain(lively))
    quick = push_all(Stream(spy.halves), smile[:12])
    same = push_all(Stream(slow.halves), smile[:12])
    assert len(spy.frames) == 12 + 3  # the first once more with two frames of neutral, both once more with three
    assert {len(span[0]) for span in spy.spans} == {5}
    for one, other in zip(quick, same, strict=True):
        assert one.probabilities is not None
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_a_lost_face_fades_from_the_answer_and_comes_back_as_itself(halves, smile):
    stream = Stream(halves)
    before = push_all(stream, smile[:15])
    gone = push_all(stream, [NOBODY] * 20, start=0.5)
    back = push_all(stream, smile[15:20], start=0.5 + 20 / FPS)
    assert all(moment.problems == ("no face",) and not moment.found for moment in gone)
    assert not any(moment.weights.any() or moment.available.any() for moment in gone)
    assert [moment.probabilities is None for moment in gone] == [False] * 9 + [True] * 11
    np.testing.assert_array_equal(gone[0].points, before[-1].points)
    assert back[0].person == 1
    assert back[0].neutral == 3
    assert back[0].probabilities is not None


def test_who_stays_away_for_two_seconds_is_someone_new(halves, smile):
    stream = Stream(halves)
    push_all(stream, smile[:5])
    push_all(stream, [NOBODY] * 62, start=5 / FPS)
    moment = stream.push(smile[0], 67 / FPS)
    assert (moment.person, moment.neutral) == (2, 1)


def test_before_the_first_face_there_is_no_answer(halves, smile):
    stream = Stream(halves)
    nobody, first = push_all(stream, [NOBODY, smile[0]])
    assert nobody.problems == ("no face",)
    assert nobody.probabilities is None
    assert np.isnan(nobody.boxes).all()
    assert first.person == 1
    assert first.probabilities is not None


def test_another_face_is_said_and_left_out(halves, two_people, smile):
    moments = push_all(Stream(halves), two_people[:50])
    assert not any("another face" in moment.problems for moment in moments[:15])
    assert all("another face" in moment.problems for moment in moments[20:50])
    alone = push_all(Stream(halves), smile[:50])
    assert max(moment.person for moment in moments) == 1
    last, expected = moments[-1].probabilities, alone[-1].probabilities
    assert last is not None
    assert last == pytest.approx(expected, abs=0.02)  # the detector's start differs a little in the wide picture


def test_a_small_face_is_said(halves, smile):
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[150:250, 300:400] = cv2.resize(smile[0], (100, 100), interpolation=cv2.INTER_AREA)
    moment = Stream(halves).push(picture, 0.0)
    assert moment.found
    assert np.linalg.norm(moment.boxes[FULL_FACE, 1] - moment.boxes[FULL_FACE, 0]) / 2.6 < SMALLEST
    assert moment.problems == ("small",)


def test_frames_that_never_came_are_counted_and_a_slow_stream_is_said(halves, smile):
    stream = Stream(halves)
    moments = [stream.push(frame, 0.1 * number) for number, frame in enumerate(smile[:12])]
    assert moments[0].rate == 0
    assert moments[-1].rate == pytest.approx(10)
    assert moments[-1].missed == 2 * 11
    assert moments[-1].problems == ("slow",)
    camera = Stream(halves)  # 25 per second are no fault
    assert not [p for number, frame in enumerate(smile[:12]) for p in camera.push(frame, number / 25).problems]


def test_a_late_frame_is_left_out(halves, smile):
    stream = Stream(halves)
    moments = push_all(stream, smile[:5])
    late = stream.push(NOBODY, 2 / FPS)
    assert late.problems == ("late",)
    assert late.number == 5
    assert stream.push(smile[5], 5 / FPS).found
    assert moments[-1].problems == ()


def test_after_a_pause_an_answer_is_about_what_came_since(halves, smile):
    spy = Spy(halves)
    stream = Stream(spy.halves)
    push_all(stream, smile[:20])
    stream.push(smile[20], 20 / FPS + 1.5)
    assert (spy.spans[-1] == spy.spans[-1][:, :1]).all(), "the answer joins frames from before the pause"


def test_the_picture_may_change_its_size(halves, smile):
    stream = Stream(halves)
    before = push_all(stream, smile[:5])[-1]
    larger = [cv2.resize(frame, (384, 384), interpolation=cv2.INTER_CUBIC) for frame in smile[5:10]]
    after = push_all(stream, larger, start=5 / FPS)
    assert [moment.problems for moment in after] == [("new size",), *[()] * 4]
    assert (after[-1].neutral, after[-1].person) == (3, 1)
    assert np.abs(after[0].points - 1.5 * before.points).mean() < 4


def test_this_is_my_neutral_face(halves, smile):
    spy = Spy(halves)
    stream = Stream(spy.halves)
    assert not stream.set_neutral(), "there was no face yet"
    push_all(stream, smile[:30])
    moved = np.abs(spy.frames[-1]["moves"]).max()
    spy.frames.clear()
    assert stream.set_neutral()
    assert len(spy.frames) == 10
    change = np.sum([inputs["moves"] for inputs in spy.frames[-3:]], axis=0)
    assert np.abs(change).max() < 1e-3 < moved / 100, "the last three frames are not the new neutral's"


def test_a_frame_of_another_type_is_refused(halves):
    with pytest.raises(ValueError, match="float64"):
        Stream(halves).push(np.zeros((4, 4, 3)), 0.0)  # type: ignore[arg-type]


def test_the_steps_are_timed(halves, smile):
    moments = push_all(Stream(halves), smile[:3])
    assert moments[0].milliseconds.keys() == {"landmarks", "other faces", "crops", "frame", "span"}
    assert all(spent >= 0 for spent in moments[0].milliseconds.values())
