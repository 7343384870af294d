"""`microx live`: a file as camera, recordings, and whatever keeps a camera or a screen from working."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock, call

import cv2
import numpy as np
import pytest
from small_weights import write_small_weights

from microx_utils.apply import cameras
from microx_utils.support.errors import DataError
from microx_utils.tools import live
from microx_utils.tools.cli import main
from microx_utils.tools.window import CLOSED, Window
from microx_utils.video import probe_video, read_frames

PICTURE = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_small_weights(tmp_path / "weights")


class Camera:
    """Stands in for cv2.VideoCapture: so many good pictures, then none."""

    def __init__(self, pictures: int, opened: bool = True) -> None:
        self.pictures, self.opened, self.released = pictures, opened, False

    def isOpened(self) -> bool:
        return self.opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        threading.Event().wait(0.01)
        self.pictures -= 1
        return (True, PICTURE) if self.pictures >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def without_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "open_window", lambda: (None, "none"))


@pytest.fixture
def plugged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A device of camera 0, which may be used."""
    device = tmp_path / "video0"
    device.touch()
    real = cameras.Path
    monkeypatch.setattr(cameras, "Path", lambda path: device if path == "/dev/video0" else real(path))
    return device


@pytest.mark.usefixtures("without_screen")
def test_a_file_is_recorded_without_a_screen(weights: Path, clip_path: Path, tmp_path: Path) -> None:
    target = tmp_path / "drawn.mp4"
    assert main(["live", str(clip_path), "--record", str(target), "--weights", str(weights)]) == 0
    frames, drawn = read_frames(clip_path)[0], read_frames(target)[0]
    assert drawn.shape == (len(frames), 576, 720, 3)
    shown = cv2.resize(frames[30], (480, 480), interpolation=cv2.INTER_LINEAR)
    assert np.abs(drawn[30, :480, :480].astype(int) - shown).mean() < 12, "the picture isn't where it belongs"


@pytest.mark.usefixtures("without_screen")
def test_without_a_screen_it_says_how_to_go_on(clip_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", str(clip_path)]) == 2
    said = capsys.readouterr().err
    assert "no screen" in said
    assert "--record FILE" in said


@pytest.mark.usefixtures("without_screen")
def test_a_file_that_cannot_be_read_leaves_no_recording(weights: Path, tmp_path: Path, capsys) -> None:
    target = tmp_path / "drawn.mp4"
    assert main(["live", str(tmp_path / "none.mp4"), "--record", str(target), "--weights", str(weights)]) == 2
    assert "none.mp4" in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no DISPLAY")
def test_a_screen_that_is_not_there_does_not_end_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert live.open_window() == (None, "DISPLAY is not set")
    monkeypatch.setenv("DISPLAY", ":99999")
    window, problem = live.open_window()
    assert window is None
    assert "display" in problem


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs a screen: apt-get install xvfb")
def test_a_window_shows_pictures_and_hears_keys(
    weights: Path,
    clip_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    screen = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24"], pass_fds=[writing])
    try:
        monkeypatch.setenv("DISPLAY", f":{os.read(reading, 9).decode().strip()}")
        with Window("test") as window:
            assert window.show(PICTURE) == ""
            window._program.kill()
            assert window.show(PICTURE) == CLOSED
        target = tmp_path / "drawn.mp4"
        assert main(["live", str(clip_path), "--record", str(target), "--weights", str(weights)]) == 0
        assert 1 < probe_video(target).seconds < 2.2
    finally:
        screen.terminate()
        screen.wait()


def test_keys_do_what_they_say() -> None:
    stream, screen, stopped = Mock(), Mock(mirror=False), threading.Event()
    for key in ("n", "m", "r", "", "x"):
        live.obey(key, stream, screen, stopped)
    assert stream.mock_calls == [call.set_neutral(), call.forget()]
    assert screen.mirror
    assert not stopped.is_set()
    for key in ("q", "\x1b", CLOSED):
        stopped.clear()
        live.obey(key, stream, screen, stopped)
        assert stopped.is_set()


def test_a_file_and_a_camera_are_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "film.mp4", "--camera", "0"]) == 2
    assert "film.mp4: is named beside --camera" in capsys.readouterr().err


def test_no_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras.sys, "platform", "linux")
    with pytest.raises(DataError, match=r"no /dev/video97; .*Or name a video file"):
        next(cameras.camera_frames(97, lambda: False))


def test_permission_refused(monkeypatch: pytest.MonkeyPatch, plugged_in: Path) -> None:
    monkeypatch.setattr(cameras.sys, "platform", "linux")
    monkeypatch.setattr(os, "access", lambda path, mode: path != plugged_in)
    with pytest.raises(DataError, match=r"permission refused.*group video"):
        next(cameras.camera_frames(0, lambda: False))


@pytest.mark.usefixtures("plugged_in")
@pytest.mark.parametrize(("platform", "word"), [("linux", "in use elsewhere"), ("darwin", "privacy, camera")])
def test_a_camera_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch, platform: str, word: str) -> None:
    monkeypatch.setattr(cameras.sys, "platform", platform)
    monkeypatch.setattr(cameras.cv2, "VideoCapture", lambda number: Camera(0, opened=False))
    with pytest.raises(DataError, match=f"can't be opened.*{word}"):
        next(cameras.camera_frames(0, lambda: False))


@pytest.mark.usefixtures("plugged_in")
def test_an_unplugged_camera_is_said_and_released(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera(pictures=3)
    monkeypatch.setattr(cameras.cv2, "VideoCapture", lambda number: camera)
    seen = []
    with pytest.raises(DataError, match="camera 0: sends no more pictures"):
        seen += list(cameras.camera_frames(0, lambda: False))
    assert camera.released


@pytest.mark.usefixtures("plugged_in")
def test_a_slow_reader_gets_the_newest_frame_in_rgb(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera(pictures=1000)
    monkeypatch.setattr(cameras.cv2, "VideoCapture", lambda number: camera)
    frames = cameras.camera_frames(0, lambda: False)
    first, picture = next(frames)
    np.testing.assert_array_equal(picture, PICTURE[:, :, ::-1])
    threading.Event().wait(0.3)
    second, _ = next(frames)
    assert second - first > 0.2, "an old frame waited in a queue"
    frames.close()  # type: ignore[attr-defined]
    assert camera.released


def test_a_paced_file_leaves_out_what_is_late(clip_path: Path) -> None:
    times = []
    for time, _ in cameras.file_frames(clip_path, lambda: False, paced=True):
        times.append(time)
        threading.Event().wait(0.2 if len(times) < 4 else 0.0)
    assert times == sorted(times)
    assert 10 < len(times) < 55
    every = list(cameras.file_frames(clip_path, lambda: False, paced=False))
    assert len(every) == 60


def test_ctrl_c_ends_a_recording_and_keeps_it(tmp_path: Path) -> None:
    target = tmp_path / "kept.mp4"
    with live.stop_on_interrupt() as stopped:

        def frames() -> Iterator[tuple[float, np.ndarray]]:
            for number in range(1000):
                if stopped.is_set():
                    return
                if number == 10:
                    os.kill(os.getpid(), signal.SIGINT)
                yield number / 30, PICTURE

        live.record(frames(), target)
    assert 10 <= round(30 * probe_video(target).seconds) <= 12


def test_nothing_came(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no frames"):
        live.record(iter([]), tmp_path / "none.mp4")
    assert not (tmp_path / "none.mp4").exists()
