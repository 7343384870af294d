"""Frames from video files at a steady rate, and video files from frames.

OpenCV reads (it decodes whatever FFmpeg does), PyAV writes H.264 (no system ffmpeg is needed).
A neural network that looks at ten frames needs every ten to last equally long, so frames are resampled to
30 per second (the paper's section III.B) by their timestamps: 24, 25, 60 fps and variable rates come out alike.

Where a corpus keeps several clips in one file (a dialog of two people, say), a clip's path ends in a W3C media
fragment: `dialog.avi#t=6.29,8.235&xywh=percent:0,0,50,100` is the left half of the picture from 6.29 s to 8.235 s.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import TypeVar

import av
import cv2
import numpy as np

from microx_utils.support.cache import atomic_file, content_key, file_key
from microx_utils.support.errors import DataError

T = TypeVar("T")

FPS = 30.0
"""The paper's frame rate, to which every clip is brought."""

_PLAUSIBLE_FPS = (1.0, 1000.0)  # OpenCV reports 0, or the container's tick rate, where a file names no rate
_WHOLE = 0.9  # of the frames the index promises; a few may be missing at the ends without harm
_TIE = 1e-3  # of an output frame: times in milliseconds (Matroska) must not decide which of two frames is nearer
_REENCODE = "Copy the file again from its source, or re-encode it: ffmpeg -i IN -c:v libx264 OUT.mp4."


_FRAGMENT = re.compile(r"#t=(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)(?:&xywh=percent:(\d+),(\d+),(\d+),(\d+))?$")
_NEAR = 1e-4  # s; stamps in milliseconds or ticks may lie a little before the time that they stand for
_RUN_UP = 2.0  # s; where the file can be wound to a place, decoding begins that much earlier


@dataclass(frozen=True)
class Cut:
    """A part of a video: seconds from its first frame, `end` not included, and x, y, width, height in % of the picture.

    >>> Cut(6.29, 8.235, (0, 0, 50, 100)).fragment
    '#t=6.29,8.235&xywh=percent:0,0,50,100'
    """

    start: float
    end: float
    area: tuple[int, int, int, int] = (0, 0, 100, 100)

    @property
    def fragment(self) -> str:
        """What to put behind a file's name so that it means this part of it."""
        area = "" if self.area == (0, 0, 100, 100) else "&xywh=percent:" + ",".join(map(str, self.area))
        return f"#t={_seconds(self.start)},{_seconds(self.end)}{area}"

    def crop(self, frame: np.ndarray) -> np.ndarray:
        """Return the cut's part of a frame (H, W, ...), a view."""
        height, width = frame.shape[:2]
        x, y, w, h = self.area
        return frame[height * y // 100 : height * (y + h) // 100, width * x // 100 : width * (x + w) // 100]


def _seconds(value: float) -> str:
    """Return seconds to the microsecond, never as 7e+07.

    >>> _seconds(70000000), _seconds(6.2901)
    ('70000000', '6.2901')
    """
    return f"{value:.6f}".rstrip("0").rstrip(".")


def split_path(path: str | PathLike[str]) -> tuple[Path, Cut | None]:
    """Return the file that a clip's path names, and the part of it that is the clip: None for all of it.

    Raises ValueError for a part without duration or one that leaves the picture.
    """
    match = _FRAGMENT.search(str(path))
    if match is None:
        return Path(path), None
    start, end, *area = match.groups()
    x, y, w, h = map(int, area) if area[0] else (0, 0, 100, 100)
    cut = Cut(float(start), float(end), (x, y, w, h))
    if cut.end <= cut.start or not w or not h or x + w > 100 or y + h > 100:
        raise ValueError(f"{path}: the part {match.group()} is empty or leaves the picture")
    return Path(str(path)[: match.start()]), cut


def video_key(path: str | PathLike[str]) -> str:
    """Return 16 hex digits that change with a clip's bytes, and with the part of the file that it is.

    Raises DataError for a file that is missing or can't be read.
    """
    file, cut = split_path(path)
    try:
        if not file.is_file():  # a pipe would be waited for, for ever
            raise DataError(file, "no such file, or not a file", "Check the path.")
        whole = file_key(file) if cut is None else _file_key_once(file, *_state(file))
    except OSError as error:
        raise DataError(file, f"can't be read ({error.strerror})", "Check the path, and who may read it.") from error
    if cut is None:
        return whole
    return content_key(video=whole, start=cut.start, end=cut.end, area=cut.area)


def _state(file: Path) -> tuple[int, int]:
    """Return a file's size and time of change: what tells an lru_cache that it is still the same."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=64)
def _file_key_once(file: Path, size: int, changed: int) -> str:
    return file_key(file)


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
    file, cut = split_path(path)
    capture = _open(file)
    width, height = (int(capture.get(size)) for size in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    nominal_step = 1 / _nominal_fps(capture)
    capture.release()
    stamps, tick = _stamps(file, *_state(file))
    count = len(stamps)
    known = [stamp for stamp in stamps if stamp is not None]
    if cut is not None:
        origin = min(known, default=0)
        known = [stamp for stamp in known if cut.start <= (stamp - origin) * tick + _NEAR < cut.end]
        if not known:
            raise _outside(file, cut)
        count = len(known)
        height, width = cut.crop(np.empty((height, width), bool)).shape
    span = (max(known) - min(known)) * tick if known else 0.0
    seconds = span * count / (count - 1) if span else count * nominal_step
    return VideoInfo(Path(path), width, height, round(count / seconds, 6), count, round(seconds, 6))


@lru_cache(maxsize=4)  # a dialog of a hundred clips is a hundred times the same file
def _stamps(file: Path, size: int, changed: int) -> tuple[list[int | None], float]:
    """Return the time stamps of a file's packets, in the order stored, and the seconds of one tick."""
    try:
        with av.open(str(file)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            stamps = [packet.dts if packet.pts is None else packet.pts for packet in packets]
            tick = float(container.streams.video[0].time_base or 0)
    except av.FFmpegError as error:
        raise DataError(file, f"can't be read as a video ({error})", _REENCODE) from error
    if not stamps:
        raise DataError(file, "holds no frame", _REENCODE)
    return stamps, tick


def iter_frames(path: str | PathLike[str], *, fps: float = FPS) -> Iterator[tuple[float, np.ndarray]]:
    """Yield `(time_s, frame)` at a steady rate, holding only a few frames in memory.

    Output frame k stands for the time k / fps after the clip's first frame and is the stored frame whose
    timestamp is nearest: frames are repeated or left out, never blended. As many come out as fit the clip's
    duration (the last frame lasts as long as the average one), at least one.

    Parameters
    ----------
    path
        Any file that OpenCV's FFmpeg decodes, or a part of it (see `split_path`).
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
        decode (MP4; other formats don't count their frames reliably), or the part lies outside of it. What can be told
        from the file's outside is raised by the call, what only decoding shows when iteration gets there.
    """
    if not fps > 0:
        raise ValueError(f"fps is {fps}, and has to be above 0")
    file, cut = split_path(path)
    capture = _open(file)
    decoded = _decode(file, capture) if cut is None else _decode_part(file, capture, cut)
    return _resample(
        ((time, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)) for time, image in decoded), fps, 1 / _nominal_fps(capture)
    )


def read_frames(path: str | PathLike[str], *, fps: float = FPS) -> tuple[np.ndarray, np.ndarray]:
    """Return all frames of a clip at a steady rate: `(frames, times)`.

    frames is uint8 (T, H, W, 3), RGB; times is float64 (T,), seconds from the first frame. For long videos use
    `iter_frames`, which takes the same arguments and raises the same errors.
    """
    times, frames = zip(*iter_frames(path, fps=fps), strict=True)
    return np.stack(frames), np.array(times, np.float64)


def stored_frames(path: str | PathLike[str], *, fps: float = FPS) -> np.ndarray:
    """Return which stored frames `iter_frames` shows, intp (T,) counted from 0: rows of a table made frame by frame.

    Of a part of a video they count from the part's first frame. Raises what `iter_frames` does.
    """
    file, cut = split_path(path)
    capture = _open(file)
    nominal_step = 1 / _nominal_fps(capture)
    decoded = _decode(file, capture) if cut is None else _decode_part(file, capture, cut)
    numbered = ((time, number) for number, (time, _) in enumerate(decoded))
    return np.array([number for _, number in _resample(numbered, fps, nominal_step)], np.intp)


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
        # mbtree reads memory that nobody has written (x264 with AVX-512): other bytes, and pictures, in each process
        stream.options = {"crf": str(crf), "preset": "slow", "mbtree": "0"}
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
    try:
        if not path.is_file():
            raise DataError(path, "no such file, or not a file", "Check the path.")
        size = path.stat().st_size
        wanted = _stated_size(path, size)
    except OSError as error:
        raise DataError(path, f"can't be read ({error.strerror})", "Make the file readable.") from error
    if not size:
        raise DataError(path, "is empty (0 bytes)", "Copy the file again from its source.")
    if wanted > size:
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
    """Yield `(time_s, BGR frame)` as stored, times from 0 and strictly rising.

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
            yield time, image
            count, previous = count + 1, time
    finally:
        capture.release()
    if not count:
        raise DataError(path, "holds no frame that decodes", _REENCODE)
    if count < _WHOLE * promised:
        raise DataError(path, f"is damaged: {count} of its {promised} frames decode", _REENCODE)


def _decode_part(path: Path, capture: cv2.VideoCapture, cut: Cut) -> Iterator[tuple[float, np.ndarray]]:
    """Yield `(time_s, BGR frame)` of a part of a video, times from 0 at the part's first frame."""
    wound = max(0.0, cut.start - _RUN_UP)
    found, _ = capture.read()
    origin = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000  # not 0 where the decoder lags, and it lags everywhere alike
    if found and wound:
        capture.set(cv2.CAP_PROP_POS_MSEC, 1000 * wound)
        found, _ = capture.read()
        if not found or capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 - origin > cut.start:
            wound = 0.0  # it can't be wound reliably, as where the rate varies
    capture.release()
    capture = _open(path)
    if wound:
        capture.set(cv2.CAP_PROP_POS_MSEC, 1000 * wound)
    first, count = None, 0
    try:
        while capture.grab():
            time = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 - origin + _NEAR
            if time >= cut.end:
                break
            if time >= cut.start:
                found, image = capture.retrieve()
                if not found:
                    break
                first = time if first is None else first
                count += 1
                yield time - first, cut.crop(image)
    finally:
        capture.release()
    if first is None:
        raise _outside(path, cut)
    stored = probe_video(f"{path}{cut.fragment}")
    if count < _WHOLE * stored.frames:
        raise DataError(path, f"is damaged: {count} of the {stored.frames} frames of {cut.fragment} decode", _REENCODE)
    if stored.seconds < _WHOLE * (cut.end - cut.start):
        problem = f"ends before {cut.end:g} s: {stored.seconds:.2f} s are left of {cut.fragment}"
        raise DataError(path, problem, "Compare the corpus's times with the video's length; copy the video again.")


def _outside(path: Path, cut: Cut) -> DataError:
    problem = f"has no frame from {cut.start:g} s to {cut.end:g} s"
    return DataError(path, problem, "Compare the corpus's times with the video's length; copy the video again.")


def _resample(decoded: Iterator[tuple[float, T]], fps: float, nominal_step: float) -> Iterator[tuple[float, T]]:
    """Yield the decoded frame nearest to each k / fps, for as long as the clip lasts."""
    k, count = 0, 1
    time, image = next(decoded)
    waiting: list[tuple[float, T]] = []  # held back: only the end tells whether the clip lasts long enough
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
