"""Frames come out at a steady rate whatever goes in, and bad files are named."""

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microx_utils.support.cache import file_key
from microx_utils.support.errors import DataError
from microx_utils.video import (
    Cut,
    _resample,
    iter_frames,
    probe_video,
    read_frames,
    stored_frames,
    video_key,
    write_video,
)

GREY_STEP = 8  # H.264 keeps flat grey to within a level or two


def grey_frames(count: int) -> np.ndarray:
    """Flat frames that tell their number by their brightness."""
    return np.broadcast_to((np.arange(count) * GREY_STEP).astype(np.uint8)[:, None, None, None], (count, 64, 96, 3))


def numbers(frames: np.ndarray) -> list[int]:
    return [round(float(frame.mean()) / GREY_STEP) for frame in frames]


def write_stamped(path: Path, stamps_ms: list[int]) -> None:
    """Write a video whose frames stand at the given times: a variable rate, with B-frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for stamp, image in zip(stamps_ms, grey_frames(len(stamps_ms)), strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_colours_survive_writing_and_reading(tmp_path: Path) -> None:
    colours = np.array([[200, 40, 40], [40, 160, 40], [40, 60, 200], [128, 128, 128]], np.uint8)
    image = np.repeat(np.repeat(colours.reshape(2, 2, 3), 48, axis=0), 48, axis=1)
    write_video(tmp_path / "colours.mp4", np.stack([image] * 5), crf=10)
    frames, times = read_frames(tmp_path / "colours.mp4")
    assert frames.shape == (5, 96, 96, 3)
    assert frames.dtype == np.uint8
    np.testing.assert_allclose(times, np.arange(5) / 30)
    centres = frames[2][24::48, 24::48].reshape(4, 3).astype(int)
    assert np.abs(centres - colours).max() <= 6  # a swap of red and blue would miss by 160


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (30, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        (25, [0, 1, 2, 2, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11]),  # 0.48 s: 14 frames
        (24, [0, 1, 2, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 10, 11]),
        (60, [0, 2, 4, 6, 8, 10]),
    ],
)
def test_every_rate_comes_out_at_30(tmp_path: Path, fps: int, expected: list[int]) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, grey_frames(12), fps=fps)
    frames, times = read_frames(path)
    assert numbers(frames) == expected
    np.testing.assert_allclose(times, np.arange(len(expected)) / 30)


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_variable_rate_goes_by_timestamps(tmp_path: Path, container: str) -> None:
    stamps = [0, 20, 100, 130, 200, 210, 500, 550, 600, 900]
    path = tmp_path / f"phone.{container}"
    write_stamped(path, stamps)
    frames, times = read_frames(path)
    nearest = [int(np.argmin(np.abs(np.array(stamps) / 1000 - time))) for time in times]
    assert numbers(frames) == nearest
    assert len(frames) == 30  # 0.9 s and an average frame of 0.1 s
    info = probe_video(path)
    assert (info.frames, info.seconds, info.fps) == (10, 1.0, 10.0)


def test_avi_with_wrong_timestamps_keeps_every_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "old.avi", grey_frames(12))  # AVI stores the order of decoding only
    frames, _ = read_frames(tmp_path / "old.avi")
    assert numbers(frames) == list(range(12))


def test_a_clip_that_starts_late_starts_at_zero(tmp_path: Path) -> None:
    write_stamped(tmp_path / "late.mp4", [500, 533, 567, 600])
    frames, times = read_frames(tmp_path / "late.mp4")
    assert times[0] == 0
    assert numbers(frames) == [0, 1, 2, 3]


@given(
    gaps=st.lists(st.floats(0.004, 0.5), min_size=1, max_size=40),
    fps=st.sampled_from([10.0, 25.0, 30.0, 60.0]),
)
def test_resampling_keeps_duration_and_order(gaps: list[float], fps: float) -> None:
    stamps = np.concatenate([[0.0], np.cumsum(gaps)])
    decoded = ((float(time), np.array(number)) for number, time in enumerate(stamps))
    duration = stamps[-1] * len(stamps) / (len(stamps) - 1)
    times, picked = zip(*_resample(decoded, fps, duration), strict=True)
    assert abs(len(times) / fps - duration) <= 0.51 / fps or len(times) == 1
    np.testing.assert_allclose(times, np.arange(len(times)) / fps)
    assert np.all(np.diff([int(number) for number in picked]) >= 0)
    for time, number in zip(times, picked, strict=True):  # nobody is nearer than the frame picked
        assert abs(stamps[int(number)] - time) <= np.abs(stamps - time).min() + 2.1e-3 / fps


def test_one_frame_is_a_clip(tmp_path: Path) -> None:
    write_video(tmp_path / "one.mp4", grey_frames(1))
    assert read_frames(tmp_path / "one.mp4")[0].shape == (1, 64, 96, 3)


def test_probe_agrees_with_reading(clip_path: Path) -> None:
    info = probe_video(clip_path)
    assert (info.width, info.height, info.fps, info.frames, info.seconds) == (256, 256, 30.0, 60, 2.0)
    assert len(read_frames(clip_path)[0]) == 60


def test_frames_arrive_one_by_one(clip_path: Path) -> None:
    frames = iter_frames(clip_path)
    time, frame = next(frames)
    assert time == 0.0
    assert frame.shape == (256, 256, 3)


@pytest.mark.parametrize("read", [read_frames, probe_video])
def test_what_is_no_file_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """What may be wrong with a file is in faults.toml."""
    (tmp_path / "folder.mp4").mkdir()
    for name in ("missing.mp4", "folder.mp4"):
        with pytest.raises(DataError, match=f"{name}: no such file"):
            read(tmp_path / name)


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".mov"])
def test_half_a_file_of_another_format_is_named(tmp_path: Path, clip_path: Path, suffix: str) -> None:
    whole, half = tmp_path / f"whole{suffix}", tmp_path / f"half{suffix}"
    write_video(whole, read_frames(clip_path)[0][:20])
    assert len(read_frames(whole)[0]) == 20
    content = whole.read_bytes()
    half.write_bytes(content[: len(content) // 2])
    for read in (read_frames, probe_video):
        with pytest.raises(DataError, match=r"is cut short|holds no frame"):
            read(half)
    half.write_bytes(content[:-1])  # of the index: no frame is harmed
    try:
        assert len(read_frames(half)[0]) == 20
    except DataError as error:
        assert "is cut short" in str(error)


def test_a_live_recording_that_states_no_length_is_read(tmp_path: Path, clip_path: Path) -> None:
    with av.open(str(tmp_path / "live.mkv"), "w", format="matroska", options={"live": "1"}) as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        for image in read_frames(clip_path)[0][:5]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    assert len(read_frames(tmp_path / "live.mkv")[0]) == 5


def test_a_sound_file_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "voice.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(DataError):
        read_frames(tmp_path / "voice.mp4")


def test_a_half_written_video_never_appears(tmp_path: Path) -> None:
    def frames():
        yield from grey_frames(3)
        raise RuntimeError("the renderer was stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_video(tmp_path / "clip.mp4", frames())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(2, 63, 96, 3), (2, 64, 95, 3), (2, 64, 96), (0, 64, 96, 3)])
def test_writing_refuses_what_h264_cannot_hold(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"even H and W|no frames"):
        write_video(tmp_path / "clip.mp4", np.zeros(shape, np.uint8))


def test_writing_refuses_mixed_frames(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="like the first"):
        write_video(tmp_path / "clip.mp4", [np.zeros((64, 96, 3), np.uint8), np.zeros((32, 96, 3), np.uint8)])


WRITE_FACE = """
import sys
import numpy as np
from microx_utils.faces import render_still
from microx_utils.video import write_video
face = render_still(5, {}, size=(342, 192), seed=0)
noise = np.random.default_rng(0).normal(0, 3, (60, *face.shape))
write_video(sys.argv[1], np.clip(face + noise, 0, 255).astype(np.uint8))
"""


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """In processes of their own: what memory held before makes a difference to some of x264's methods."""
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        subprocess.run([sys.executable, "-c", WRITE_FACE, tmp_path / name], check=True)
    (content,) = {path.read_bytes() for path in tmp_path.iterdir()}
    assert b"mbtree=0" in content  # x264 writes its settings into the file; not every processor would show the fault


def write_coded(path: Path, codec: str, *, b_frames: int = 0, count: int = 300) -> None:
    """Write a 30 fps video whose left and right halves each tell the frame's number in eight black or white bars."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 256, 64, "yuv420p"
        stream.codec_context.max_b_frames = b_frames
        stream.options = {"g": "50", "b": "2M"}
        for number in range(count):
            bars = np.repeat([255 * (number >> bit & 1) for bit in range(9)] + [0] * 7, 8).astype(np.uint8)
            image = np.broadcast_to(np.concatenate([bars, bars[::-1]])[:, None], (64, 256, 3))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode(None))


def coded_number(frame: np.ndarray) -> int:
    return sum(int(frame[32, 8 * bit + 4].mean() > 128) << bit for bit in range(9))


@pytest.mark.parametrize(
    ("name", "codec", "b_frames"),
    [
        ("divx.avi", "mpeg4", 0),
        ("b.avi", "mpeg4", 2),
        ("h264.avi", "libx264", 2),
        ("h264.mp4", "libx264", 2),
        ("a.flv", "flv", 0),
    ],
)
@pytest.mark.parametrize("start", [0.0, 0.5, 4.0, 7.27])
def test_a_part_of_a_file_is_a_clip(tmp_path: Path, name: str, codec: str, b_frames: int, start: float) -> None:
    write_coded(tmp_path / name, codec, b_frames=b_frames)
    whole, _ = read_frames(tmp_path / name)
    cut = Cut(start, start + 1.5, (50, 0, 50, 100))
    part, times = read_frames(f"{tmp_path / name}{cut.fragment}")
    first = int(np.ceil(start * 30 - 1e-6))
    assert [coded_number(frame[:, ::-1]) for frame in part] == list(range(first, first + 45))
    np.testing.assert_allclose(times, np.arange(45) / 30)
    assert part.shape[1:] == (64, 128, 3)
    assert np.abs(part.astype(int) - whole[first : first + 45, :, 128:].astype(int)).max() <= 2
    info = probe_video(f"{tmp_path / name}{cut.fragment}")
    assert (info.width, info.height, info.frames, round(info.seconds, 3)) == (128, 64, 45, 1.5)


def test_parts_have_keys_of_their_own(tmp_path: Path, clip_path: Path) -> None:
    assert video_key(clip_path) == file_key(clip_path)
    first, second = (video_key(f"{clip_path}{Cut(0, end).fragment}") for end in (1, 1.5))
    assert len({video_key(clip_path), first, second}) == 3


def test_a_part_that_is_not_there_is_named(clip_path: Path) -> None:
    with pytest.raises(DataError, match="has no frame from 7 s to 8 s"):
        list(iter_frames(f"{clip_path}#t=7,8"))
    with pytest.raises(DataError, match="has no frame from 7 s to 8 s"):
        probe_video(f"{clip_path}#t=7,8")
    for fragment in ("#t=2,1", "#t=1,1", "#t=0,1&xywh=percent:60,0,50,100", "#t=0,1&xywh=percent:0,0,0,100"):
        with pytest.raises(ValueError, match="empty or leaves the picture"):
            iter_frames(f"{clip_path}{fragment}")


def test_a_number_sign_in_a_name_is_no_part(tmp_path: Path, clip_path: Path) -> None:
    odd = tmp_path / "take #t=2.mp4"
    odd.write_bytes(clip_path.read_bytes())
    assert len(read_frames(odd)[0]) == 60


@pytest.mark.parametrize(
    ("fps", "expected"), [(24, [0, 1, 2, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 10, 11]), (60, [0, 2, 4, 6, 8, 10])]
)
def test_stored_frames_are_those_that_are_shown(tmp_path: Path, fps: int, expected: list[int]) -> None:
    write_video(tmp_path / "clip.mp4", grey_frames(12), fps=fps, crf=10)
    assert stored_frames(tmp_path / "clip.mp4").tolist() == expected
