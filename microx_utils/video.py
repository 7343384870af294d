"""Frames from video files at a steady rate, and video files from frames.

OpenCV reads (it decodes whatever FFmpeg does), PyAV writes H.264 (no system ffmpeg is needed).
A neural network that looks at ten frames needs every ten to last equally long, so frames are resampled to
30 per second (the paper's section III.B) by their timestamps: 24, 25, 60 fps and variable rates come out alike.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from pathlib import Path

import av
import cv2
import numpy as np

from microx_utils.cache import atomic_file
from microx_utils.errors import DataError

FPS = 30.0
"""The paper's frame rate, to which every clip is brought."""

_PLAUSIBLE_FPS = (1.0, 1000.0)  # OpenCV reports 0, or the container's tick rate, where a file names no rate
_WHOLE = 0.9  # of the frames the index promises; a few may be missing at the ends without harm
_TIE = 1e-3  # of an output frame: times in milliseconds (Matroska) must not decide which of two frames is nearer
_REENCODE = "Copy the file again from its source, or re-encode it: ffmpeg -i IN -c:v libx264 OUT.mp4."


@dataclass(frozen=True)
class VideoInfo:
    """What a video file is like, before resampling: size in px, frames per second, frames, seconds."""

    path: Path
    width: int
    height: int
    fps: float
    frames: int
    seconds: float


def probe_video(path: str | PathLike[str]) -> VideoInfo:
    """Return size, rate and length of a video as stored (before resampling).

    Reads timestamps without decoding, so it is quick. `fps` is the average rate, `seconds` the same duration that
    `iter_frames` fills.

    Raises
    ------
    DataError
        Missing, empty, cut short (MP4, Matroska and AVI say how long they are), not a video, or no frame in it.
    """
    path = Path(path)
    capture = _open(path)
    width, height = (int(capture.get(size)) for size in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    nominal_step = 1 / _nominal_fps(capture)
    capture.release()
    try:
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            stamps = [packet.dts if packet.pts is None else packet.pts for packet in packets]
            tick = float(container.streams.video[0].time_base or 0)
    except av.FFmpegError as error:
        raise DataError(path, f"can't be read as a video ({error})", _REENCODE) from error
    if not packets:
        raise DataError(path, "holds no frame", _REENCODE)
    known = [stamp for stamp in stamps if stamp is not None]
    span = (max(known) - min(known)) * tick if known else 0.0
    count = len(packets)
    seconds = span * count / (count - 1) if span else count * nominal_step
    return VideoInfo(path, width, height, round(count / seconds, 6), count, round(seconds, 6))


def iter_frames(path: str | PathLike[str], *, fps: float = FPS) -> Iterator[tuple[float, np.ndarray]]:
    """Yield `(time_s, frame)` at a steady rate, holding only a few frames in memory.

    Output frame k stands for the time k / fps after the clip's first frame and is the stored frame whose
    timestamp is nearest: frames are repeated or left out, never blended. As many come out as fit the clip's
    duration (the last frame lasts as long as the average one), at least one.

    Parameters
    ----------
    path
        Any file that OpenCV's FFmpeg decodes.
    fps
        Frames per second wanted.

    Yields
    ------
    time_s : float
        Seconds from the first frame: 0, 1/fps, 2/fps, ...
    frame : uint8 (H, W, 3), RGB
        Turned upright where the file says how (phones). Repeats of a frame share memory: copy before writing in it.

    Raises
    ------
    DataError
        Missing, empty, cut short (MP4, Matroska, AVI), not a video, or damaged so that a tenth of its frames don't
        decode (MP4; other formats don't count their frames reliably). What can be told from the file's outside is
        raised by the call, what only decoding shows when iteration gets there.
    """
    if not fps > 0:
        raise ValueError(f"fps is {fps}, and has to be above 0")
    path = Path(path)
    capture = _open(path)
    return _resample(_decode(path, capture), fps, 1 / _nominal_fps(capture))


def read_frames(path: str | PathLike[str], *, fps: float = FPS) -> tuple[np.ndarray, np.ndarray]:
    """Return all frames of a clip at a steady rate: `(frames, times)`.

    frames is uint8 (T, H, W, 3), RGB; times is float64 (T,), seconds from the first frame. For long videos use
    `iter_frames`, which takes the same arguments and raises the same errors.
    """
    times, frames = zip(*iter_frames(path, fps=fps), strict=True)
    return np.stack(frames), np.array(times, np.float64)


def write_video(path: str | PathLike[str], frames: Iterable[np.ndarray], *, fps: float = FPS, crf: int = 23) -> None:
    """Write frames as an H.264 video (yuv420p, preset slow); the file appears only when it is whole.

    Parameters
    ----------
    path
        The file to write; its suffix names the container (.mp4, .mkv, .mov).
    frames : uint8 (T, H, W, 3), RGB
        An array, or any iterable of (H, W, 3) frames of one size. H and W must be even, because H.264's usual
        pixel format stores colour at half resolution. (Padding in silence would move nothing, but the file would
        no longer have the size that was asked for.)
    fps
        Frames per second.
    crf
        x264's constant rate factor: lower is better and larger, 18 is near lossless to the eye, 23 its default.

    Raises
    ------
    ValueError
        No frames, odd or changing size, or another dtype than uint8.
    """
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise ValueError("there are no frames to write")
    shape = np.shape(first)
    if len(shape) != 3 or shape[2] != 3 or shape[0] % 2 or shape[1] % 2 or not shape[0] * shape[1]:
        raise ValueError(f"frames are {shape}, expected (H, W, 3) with even H and W; crop or pad them")
    rate = Fraction(fps).limit_denominator(1001)
    with atomic_file(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "slow"}
        stream.codec_context.thread_count = 1  # x264's output depends on its number of threads
        for image in _chain(first, iterator):
            if np.shape(image) != shape or image.dtype != np.uint8:
                raise ValueError(f"a frame is {image.dtype} {np.shape(image)}, expected uint8 {shape} like the first")
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _chain(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest


def _open(path: Path) -> cv2.VideoCapture:
    """Open a video for decoding on one thread (clips are worked on in parallel, one a core)."""
    if not path.is_file():
        raise DataError(path, "no such file, or not a file", "Check the path.")
    size = path.stat().st_size
    if not size:
        raise DataError(path, "is empty (0 bytes)", "Copy the file again from its source.")
    if (wanted := _stated_size(path, size)) > size:
        raise DataError(path, f"is cut short: {size:,} bytes, its parts add to at least {wanted:,}", _REENCODE)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        capture.release()
        raise DataError(path, "can't be opened as a video: cut short, or another kind of file", _REENCODE)
    return capture


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def _stated_size(path: Path, size: int) -> int:
    """Return how many bytes a file says that it has: more than `size` where an MP4, Matroska or AVI file was cut.

    Where a file doesn't say (other formats, live recordings), `size`.
    """
    if _is_mp4(path):
        return _mp4_size(path, size)
    with path.open("rb") as file:
        start = file.read(256)  # Matroska's header has some 40 bytes
    if start[:4] == b"RIFF":
        return 8 + int.from_bytes(start[4:8], "little")
    at = 0
    for name in (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"):  # Matroska: the header, then a segment with the rest
        if start[at : at + 4] != name or not (first := int.from_bytes(start[at + 4 : at + 5])):
            return size
        digits = 9 - first.bit_length()  # the first byte's leading zeros tell how many bytes a length has
        unknown = (1 << 7 * digits) - 1
        length = int.from_bytes(start[at + 4 : at + 4 + digits]) & unknown
        if length == unknown:
            return size
        at += 4 + digits + length
    return at


def _mp4_size(path: Path, size: int) -> int:
    """Return the bytes that an MP4's top-level boxes add to; more than the file has where it was cut."""
    at = 0
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            header = file.read(16)
            length = int.from_bytes(header[:4], "big")
            if length == 1:  # a 64-bit length follows the name
                length = int.from_bytes(header[8:16], "big")
            if length < 8:  # 0 means "to the end of the file"; less than a header is padding
                return size
            at += length
    return at


def _nominal_fps(capture: cv2.VideoCapture) -> float:
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return fps if _PLAUSIBLE_FPS[0] <= fps <= _PLAUSIBLE_FPS[1] else FPS


def _decode(path: Path, capture: cv2.VideoCapture) -> Iterator[tuple[float, np.ndarray]]:
    """Yield `(time_s, RGB frame)` as stored, times from 0 and strictly rising.

    OpenCV's timestamp is right for MP4 and Matroska, B-frames and variable rates included. In AVI with B-frames it
    lags by the decoder's delay and is 0 for the last frames; in raw streams it is always 0. So times count from
    the first frame, and one that doesn't rise is put a nominal frame after the one before.
    """
    step = 1 / _nominal_fps(capture)
    promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if _is_mp4(path) else 0  # elsewhere only an estimate
    count, origin, previous = 0, 0.0, -step
    try:
        while True:
            found, image = capture.read()
            if not found:
                break
            stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if not count:
                origin = stamp
            time = stamp - origin
            if not math.isfinite(time) or time <= previous:
                time = previous + step
            yield time, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            count, previous = count + 1, time
    finally:
        capture.release()
    if not count:
        raise DataError(path, "holds no frame that decodes", _REENCODE)
    if count < _WHOLE * promised:
        raise DataError(path, f"is damaged: {count} of its {promised} frames decode", _REENCODE)


def _resample(
    decoded: Iterator[tuple[float, np.ndarray]], fps: float, nominal_step: float
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the decoded frame nearest to each k / fps, for as long as the clip lasts."""
    k, count = 0, 1
    time, image = next(decoded)
    waiting: list[tuple[float, np.ndarray]] = []  # held back: only the end tells whether the clip lasts long enough
    for following, next_image in decoded:
        count += 1
        middle = (time + following) / 2
        while k / fps <= middle + _TIE / fps:
            yield from waiting
            waiting = [(k / fps, image)]
            k += 1
        time, image = following, next_image
    duration = time * count / (count - 1) if count > 1 else nominal_step
    total = max(1, math.floor(duration * fps + 0.5 + _TIE))
    if k <= total:
        yield from waiting
    for late in range(k, total):
        yield late / fps, image
