"""The kernel's half of the camera, without a browser."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from microx_utils.apply.compiled import Halves, plain
from microx_utils.apply.stream import PROBLEMS, Stream
from microx_utils.course.notebook_html import WIDGET_TYPE
from microx_utils.robust.network import Design, build
from microx_utils.video import FPS, read_frames
from microx_utils.widgets.camera import TOLD, Lens, camera, draw_still, tell

SENT: list[Any] = []
"""What the lens has sent to the browser."""


@pytest.fixture(scope="module")
def halves() -> Halves:
    return plain(build(Design(filters=(2, 2, 2), features=4)))


@pytest.fixture
def lens(halves: Halves, clip_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lens:
    made = Lens(halves, {"happy": clip_path, "missing": clip_path.with_name("none.mp4")})
    monkeypatch.setattr(made, "send", lambda content, buffers=None: SENT.append((content, buffers)))
    return made


@pytest.fixture
def say(lens: Lens) -> Callable[..., tuple[dict[str, Any], list[bytes]]]:
    """Sends a message, and returns the one answer."""

    def send(kind: str, *buffers: bytes, **content: Any) -> tuple[dict[str, Any], list[bytes]]:
        SENT.clear()
        lens._heard(lens, {"kind": kind, "start": 1, **content}, list(buffers))
        (answer,) = SENT
        return answer

    return send


def jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture[:, :, ::-1])[1].tobytes()


def test_a_picture_gets_one_answer_in_plain_numbers(say, clip_path: Path) -> None:
    picture = read_frames(clip_path)[0][0]
    answer, buffers = say("frame", jpeg(picture), time=0.0)
    assert json.loads(json.dumps(answer)) == answer
    assert buffers == []
    assert (answer["kind"], answer["start"], answer["problems"]) == ("moment", 1, [])
    assert answer["words"] == ["Look neutral: the first frames count."]
    assert np.shape(answer["landmarks"]) == (68, 2)
    assert np.shape(answer["boxes"]) == (7, 4, 2)
    assert sum(answer["answer"]) == pytest.approx(1, abs=1e-3)
    assert len(answer["weights"]) == len(answer["available"]) == 7


def test_colours_are_not_exchanged_on_the_way(lens: Lens, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed = []
    monkeypatch.setattr(Stream, "push", lambda self, picture, time: pushed.append(picture))
    red = np.full((16, 16, 3), (250, 10, 10), np.uint8)
    lens._heard(lens, {"kind": "frame", "start": 1, "time": 0.0}, [memoryview(jpeg(red))])
    assert np.abs(pushed[0].astype(int) - red).max() < 8


def test_no_face_has_nothing_to_draw(say) -> None:
    answer, _ = say("frame", jpeg(np.full((120, 160, 3), 90, np.uint8)), time=0.0)
    assert (answer["landmarks"], answer["boxes"], answer["answer"]) == ([], [], None)
    assert answer["words"] == [PROBLEMS["no face"]]


def test_a_file_plays_at_its_own_speed_and_begins_again_as_someone_new(lens: Lens, say, clip_path: Path) -> None:
    frames = read_frames(clip_path)[0]
    for time, number in ((0.0, 0), (0.5, 15), (1.9, 57)):
        answer, (data,) = say("file", file="happy", time=time)
        picture = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB))
        assert np.abs(picture.astype(int) - frames[number]).mean() < 4
    again, _ = say("file", file="happy", time=len(frames) / FPS + 0.1)
    assert again["neutral"] == 1
    assert answer["neutral"] == 3


def test_the_neutral_face_is_set_and_said(lens: Lens, say) -> None:
    for number in range(5):
        before, _ = say("file", file="happy", time=number / FPS)
    assert before["words"] == []
    lens._heard(lens, {"kind": "neutral"}, [])
    after, _ = say("file", file="happy", time=0.5)
    assert after["words"][0] == TOLD
    later, _ = say("file", file="happy", time=2.9)
    assert TOLD not in later["words"]


def test_a_new_start_forgets_everybody(lens: Lens, say) -> None:
    for number in range(5):
        say("file", file="happy", time=100 + number / FPS)
    lens._heard(lens, {"kind": "start"}, [])
    answer, _ = say("file", file="happy", time=0.0)  # earlier than the last, and not late
    assert (answer["neutral"], answer["problems"]) == (1, [])


def test_what_goes_wrong_is_said_in_place(say) -> None:
    answer, _ = say("frame", b"no picture", time=0.0)
    assert answer["kind"] == "error"
    assert "can't be read" in answer["words"]
    answer, _ = say("file", file="missing", time=0.0)
    assert "none.mp4" in answer["words"]


def test_it_is_shown_live_and_still(halves: Halves, clip_path: Path) -> None:
    made = camera(halves, {"happy": clip_path})
    shown = made._repr_mimebundle_()
    assert WIDGET_TYPE in shown
    assert 'alt="The end of happy: a face with landmarks' in shown["text/html"]
    assert made.lens.files == ["happy"]


def test_a_film_without_a_face_has_a_still(halves: Halves, tmp_path: Path) -> None:
    from microx_utils.video import write_video

    write_video(tmp_path / "grey.mp4", np.full((5, 64, 64, 3), 120, np.uint8))
    still = draw_still(halves, "grey", tmp_path / "grey.mp4")
    assert "no answer" in still.alt  # type: ignore[union-attr]


def test_problems_come_in_words(halves: Halves, clip_path: Path) -> None:
    stream, frames = Stream(halves), read_frames(clip_path)[0]
    for number in range(4):
        moment = stream.push(frames[number], number / 5)
    assert tell(moment)["words"] == [PROBLEMS["slow"]]
