"""Frames from video files at a steady rate, and video files from frames.

PyAV reads what FFmpeg decodes and writes H.264; no system ffmpeg is needed. A frame is what a player shows: of the
default video track, at its time, upright, with square pixels. A file without that is refused, and the error says why.
A network needs frames that last equally long, so they are resampled to 30 per second (the paper's section III.B) by
their time stamps: 24, 25 and 60 fps and variable rates all come out alike.

A part of a file is named by a W3C media fragment: `dialog.avi#t=6.29,8.235&xywh=percent:0,0,50,100` is the left half
of the picture from 6.29 s to 8.235 s, one of several clips that share a file.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import chain, dropwhile, pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from microx_utils.support.cache import atomic_file, content_key, file_key
from microx_utils.support.errors import DataError

FPS = 30.0  # the paper's frame rate, to which every clip is brought
_SHORTEST, _LONGEST = 1e-3, 1.0  # s; a frame's plausible duration, which some files state wrongly or not at all
_WHOLE = 0.9  # of the duration stated; the ends may differ a little without harm
_LONGEST_GAP = 2.0  # s between two frames: webcams stall for less, wrong time stamps and lost parts make more
_MOST_REORDERED = 16  # frames: no codec stores a frame further from its place in the order shown
_NEAR = 1e-4  # s; time stamps in milliseconds or ticks may lie a little before the time they stand for
_TIE = 1e-3  # of an output frame: times in milliseconds (Matroska) must not decide which of two frames is nearer
_RUN_UP = 1.0  # s before a part's start from which to look back for a keyframe
_STATE_DURATION = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv", "asf"}  # elsewhere FFmpeg estimates it
_SKIP_DAMAGE = {"matroska,webm", "flv", "avi"}  # FFmpeg resumes after damage there and doesn't tell
_REENCODE = "Copy the file again from its source, or re-encode it: ffmpeg -i IN -c:v libx264 OUT.mp4."
_COMPARE = "Compare the corpus's times with the video's length; copy the video again."
_FRAGMENT = re.compile(r"#t=(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)(?:&xywh=percent:(\d+),(\d+),(\d+),(\d+))?$")
_cached_key = lru_cache(maxsize=64)(lambda file, size, changed: file_key(file))


@dataclass(frozen=True)
class Cut:
    """A part of a video: seconds from its first frame up to `end`, and x, y, width, height in % of the picture."""

    start: float
    end: float
    area: tuple[int, int, int, int] = (0, 0, 100, 100)

    @property
    def fragment(self) -> str:
        """What to put behind a file's name so that it means this part of it."""
        start, end = (np.format_float_positional(time, 6, trim="-") for time in (self.start, self.end))
        area = "" if self.area == (0, 0, 100, 100) else "&xywh=percent:" + ",".join(map(str, self.area))
        return f"#t={start},{end}{area}"

    def crop(self, frame: np.ndarray) -> np.ndarray:
        """Return the cut's part of a frame (H, W, ...), a view."""
        height, width = frame.shape[:2]
        x, y, w, h = self.area
        return frame[height * y // 100 : height * (y + h) // 100, width * x // 100 : width * (x + w) // 100]


def split_path(path: str | PathLike[str]) -> tuple[Path, Cut | None]:
    """Return the file that a clip's path names, and the part of it that is the clip: None for all of it.

    Raises ValueError if the part is empty or leaves the picture.
    """
    if (match := _FRAGMENT.search(str(path))) is None:
        return Path(path), None
    start, end, *area = match.groups()
    x, y, w, h = map(int, area) if area[0] else (0, 0, 100, 100)
    cut = Cut(float(start), float(end), (x, y, w, h))
    if cut.end <= cut.start or not w or not h or x + w > 100 or y + h > 100:
        raise ValueError(f"{path}: the part {match.group()} is empty or leaves the picture")
    return Path(str(path)[: match.start()]), cut


def video_key(path: str | PathLike[str]) -> str:
    """Return 16 hex digits that change with a clip's bytes and its part of the file; raise DataError without a file."""
    file, cut = split_path(path)
    key = _cached_key(file, *_state(file))
    return key if cut is None else content_key(video=key, start=cut.start, end=cut.end, area=cut.area)


def _state(file: Path) -> tuple[int, int]:
    """Return a file's size and time of change, which tell a cache that it is the same; raise if it can't be read."""
    try:
        if not file.is_file():  # reading a pipe could wait forever
            raise DataError(file, "no such file, or not a file", "Check the path.")
        with file.open("rb"):
            return file.stat().st_size, file.stat().st_mtime_ns
    except OSError as error:
        raise DataError(file, f"can't be read ({error.strerror})", "Check the path and its permissions.") from error


@dataclass(frozen=True)
class VideoInfo:
    """What a clip is like before resampling: size shown in px, mean frames per second, frames, seconds."""

    path: Path
    width: int
    height: int
    fps: float
    frames: int
    seconds: float
    as_stored: bool  # neither rotated, mirrored nor scaled to square pixels


def probe_video(path: str | PathLike[str]) -> VideoInfo:
    """Return a clip's size, rate and length before resampling, from its first frame; raise as `iter_frames` does."""
    clip = _clip(path)
    frames, seconds, (height, width, _) = len(clip.times), clip.seconds, next(iter_frames(path))[1].shape
    matrix: Any = next(_decode(clip))[1].side_data.get("DISPLAYMATRIX") or b""
    as_stored = clip.aspect == 1 and np.frombuffer(matrix, np.int32)[:5].tolist() in ([], [1 << 16, 0, 0, 0, 1 << 16])
    return VideoInfo(Path(path), width, height, round(frames / seconds, 6), frames, round(seconds, 6), as_stored)


def iter_frames(path: str | PathLike[str], *, fps: float = FPS) -> Iterator[tuple[float, np.ndarray]]:
    """Yield `(time_s, frame)` at a steady rate, holding only a few frames in memory.

    Output frame k stands for the time k / fps after the clip's first frame and is the stored frame whose time stamp is
    nearest: frames are repeated or left out, never blended. As many come out as fit the clip's duration (the last
    frame lasts as long as the average one), at least one.

    Frames are uint8 (H, W, 3), RGB: rotated and mirrored as the file says, scaled in width to square pixels, not
    deinterlaced, and letterboxed to the first frame's size where the resolution changes. Repeats of a frame share
    memory: copy before writing to it.

    Raises DataError on the call if the file is missing, empty, cut short or no video, if its time stamps contradict
    each other or leave a gap of more than 2 s, or if the part lies outside it; on iteration if a frame is damaged.
    """
    if not fps > 0:
        raise ValueError(f"fps is {fps}, and must be above 0")
    clip = _clip(path)
    return _pictures(clip, _resample(_decode(clip), fps, clip.seconds))


def read_frames(path: str | PathLike[str], *, fps: float = FPS) -> tuple[np.ndarray, np.ndarray]:
    """Return all frames of a clip at a steady rate: `(frames, times)`, as `iter_frames` gives them one by one.

    frames is uint8 (T, H, W, 3), RGB; times is float64 (T,), seconds from the first frame. Raises the same errors.
    """
    times, frames = zip(*iter_frames(path, fps=fps), strict=True)
    return np.stack(frames), np.array(times, np.float64)


def stored_frames(path: str | PathLike[str], *, fps: float = FPS) -> np.ndarray:
    """Return which stored frames `iter_frames` shows, intp (T,), counted from the clip's first; raise as it does."""
    clip = _clip(path)
    numbers = ((time, number) for number, (time, _) in enumerate(_decode(clip)))
    return np.array([number for _, number in _resample(numbers, fps, clip.seconds)], np.intp)


def write_video(path: str | PathLike[str], frames: Iterable[np.ndarray], *, fps: float = FPS, crf: int = 23) -> None:
    """Write frames as an H.264 video (yuv420p, preset slow); the file appears only when it is complete.

    frames is uint8 (T, H, W, 3), RGB, or any iterable of (H, W, 3) of one size; H and W are even, because yuv420p
    stores colour at half resolution. The suffix of `path` names the container. crf is x264's constant rate factor:
    lower is better and larger, 18 is near lossless to the eye. Raises ValueError for frames that can't be written.
    """
    iterator = iter(frames)
    if (first := next(iterator, None)) is None:
        raise ValueError("there are no frames to write")
    if len(shape := np.shape(first)) != 3 or shape[2] != 3 or shape[0] % 2 or shape[1] % 2 or not shape[0] * shape[1]:
        raise ValueError(f"frames are {shape}, expected (H, W, 3) with even H and W; crop or pad them")
    with atomic_file(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width, stream.pix_fmt = *shape[:2], "yuv420p"
        # mbtree reads memory that nobody has written (x264 with AVX-512): other bytes, and pictures, in each process
        stream.options = {"crf": str(crf), "preset": "slow", "mbtree": "0"}
        stream.codec_context.thread_count = 1  # x264's output depends on its number of threads
        for image in chain([first], iterator):
            if np.shape(image) != shape or image.dtype != np.uint8:
                raise ValueError(f"a frame is {image.dtype} {np.shape(image)}, expected uint8 {shape} like the first")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode(None))


@dataclass(frozen=True)
class _Clip:
    """What a file's packets and its first frame tell about a clip.

    times is float64 (frames,), seconds from the file's first frame; step is the nominal time between frames, s. A
    frame's attribute `clock` ("" for none) is its time stamp in ticks of `tick` s, `origin` the first frame's.
    """

    path: str | PathLike[str]
    cut: Cut
    times: np.ndarray
    step: float
    clock: str
    tick: float
    origin: int
    aspect: float  # a stored pixel's width over its height

    @property
    def seconds(self) -> float:
        """How long the clip lasts if its last frame lasts as long as the average one."""
        gaps = len(self.times) - 1
        return float(self.times[-1] - self.times[0]) * (gaps + 1) / gaps if gaps else self.step


def _clip(path: str | PathLike[str]) -> _Clip:
    """Return what is known of a clip; raise DataError if a part of it is missing."""
    file, cut = split_path(path)
    clip = _scan(file, *_state(file))
    if cut is not None:
        inside = (clip.times + _NEAR >= cut.start) & (clip.times + _NEAR < cut.end)
        clip = replace(clip, path=path, cut=cut, times=clip.times[inside])
        if not inside.any():
            raise DataError(path, f"has no frame from {cut.start:g} s to {cut.end:g} s", _COMPARE)
        if clip.seconds < _WHOLE * (cut.end - cut.start):
            raise DataError(path, f"ends before {cut.end:g} s: {clip.seconds:.2f} s are left", _COMPARE)
    for start, end in pairwise(clip.times):
        if end - start > _LONGEST_GAP:
            problem = f"has a gap of {end - start:.1f} s: no frame between {start:.2f} s and {end:.2f} s"
            raise DataError(path, problem, f"A time stamp is wrong or a part is lost. {_REENCODE}")
    return clip


@contextmanager
def _open(file: Path) -> Iterator[tuple[av.container.InputContainer, Any]]:
    """Open a file and choose its video track; one thread decodes it, as clips are processed in parallel."""
    try:
        with av.open(str(file.absolute()), metadata_errors="replace") as container:  # a relative a:b/c is of protocol a
            stream: Any = container.streams.best("video")
            usable = stream and stream.codec_context and not stream.disposition & av.stream.Disposition.attached_pic
            if not usable or container.format.name in ("concat", "hls", "dash"):  # a playlist may be called .mp4
                raise DataError(file, "holds no video track of its own that FFmpeg decodes", _REENCODE)
            stream.codec_context.thread_count = 1
            if stream.codec_context.name == "hevc":  # doesn't say which frames it patched up
                stream.codec_context.options = {"err_detect": "explode"}
            yield container, stream
    except av.FFmpegError as error:
        raise DataError(file, f"can't be opened as a video, or is cut short ({error.strerror})", _REENCODE) from error


@lru_cache(maxsize=4)  # a dialog of a hundred clips is one file a hundred times
def _scan(file: Path, size: int, changed: int) -> _Clip:
    """Read a file's packets; raise DataError for a file that is cut short or contradicts itself."""
    if not size:
        raise DataError(file, "is empty (0 bytes)", "Copy the file again from its source.")
    packets: list[tuple[int | None, int | None, int | None]] = []
    ends: dict[int, float] = {}
    skipped, keyed, reached, unread = list[bool](), False, 0, 0
    with _open(file) as (container, stream):
        for packet in container.demux():
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is not None:
                end = (stamp + (packet.duration or 0)) * float(packet.time_base)
                ends[packet.stream_index] = max(end, ends.get(packet.stream_index, end))
            if packet.pos is not None:
                unread = max(unread, packet.pos - reached) if reached else 0
                reached = max(reached, packet.pos) + packet.size  # packets that share a block have one position
            keyed = keyed or (packet.stream is stream and packet.is_keyframe)  # nothing decodes before
            if packet.stream is stream and packet.size and not packet.is_discard:
                skipped += [] if keyed else [b"\0\0\1\xb3" in bytes(packet)]  # a header is where a key frame begins
                packets += [(packet.pts, packet.dts, packet.duration)] if keyed else []
        kind, tick = container.format.name, float(stream.time_base or 0)
        end, stated = ends.get(stream.index, 0.0), (stream.duration or 0) * tick
        if not stated:  # for the track alone
            end, stated = max(ends.values(), default=0.0), (container.duration or 0) / av.time_base
        aspect = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    if not packets:
        raise DataError(file, "holds no frame that decodes", _REENCODE)
    if any(skipped) or (skipped and kind in _STATE_DURATION):  # broadcasts may begin anywhere, other files may not
        raise DataError(file, f"is damaged: its first {len(skipped)} frames don't decode", _REENCODE)
    pts, dts, durations = np.array(packets, float).T  # None becomes NaN
    step = float(np.sort(durations)[len(durations) // 2]) * tick
    step = step if _SHORTEST <= step <= _LONGEST else 1 / FPS
    if kind in _STATE_DURATION and end < stated - max(3 * step, min((1 - _WHOLE) * stated, 0.5)):
        raise DataError(file, f"is cut short: it ends at {end:.2f} s of {stated:.2f} s", _REENCODE)
    # AVI stores no presentation times, and those that FFmpeg makes up are wrong where there are B-frames
    clock, stamps = ("dts", dts) if kind == "avi" or np.isnan(pts).any() else ("pts", pts)
    origin = start = stamps.min()
    if clock == "dts" or start < stamps[0]:
        # a frame's dts is that of a later packet, and frames before the first keyframe refer to missing ones
        origin = getattr(next(_frames(file, None, []), None), clock, None)
    if origin is None or not np.ptp(stamps) > 0:
        clock, stamps, tick, origin, start = "", np.arange(len(stamps)), step, 0, 0
    times = np.sort(stamps - (start if clock == "dts" else origin)) * tick
    times = times[times > -_NEAR]
    moved = np.abs(np.argsort(np.argsort(stamps, kind="stable")) - np.arange(len(stamps))).max()
    if moved > _MOST_REORDERED or (len(times) - 1) * _SHORTEST > times[-1]:
        problem = f"has wrong time stamps: {len(times)} frames in {times[-1]:.2f} s, one of them {moved} places off"
        raise DataError(file, problem, _REENCODE)
    gap, most = (end < stated - step / 2, 30) if kind == "avi" else (np.diff(times, prepend=0).max() > 1.5 * step, 1000)
    if kind in _SKIP_DAMAGE and unread > most and gap:  # AVI states its frames
        raise DataError(file, f"is damaged: frames are missing, and {unread} bytes belong to none", _REENCODE)
    if not 0.1 < aspect < 10:
        raise DataError(file, f"states that its pixels are {aspect:g} times as wide as high", _REENCODE)
    return _Clip(file, Cut(0, np.inf), times, step, clock, tick, int(origin), aspect)


def _decode(clip: _Clip, *, seek: bool = True) -> Iterator[tuple[float, av.VideoFrame]]:
    """Yield `(time_s, frame)` as stored, times from 0; from the first damaged one on, only count them."""
    start, end = clip.cut.start, clip.cut.end
    seek = seek and clip.clock != "" and start > _RUN_UP
    target = clip.origin + int((start - _RUN_UP) / clip.tick) if seek else None
    failed: list[av.Packet] = []
    count, incomplete, first = 0, 0, 0.0
    for time, frame in _rising(clip, _frames(split_path(clip.path)[0], target, failed)):
        if (seek := seek and time > start) or time + _NEAR >= end:
            break
        if time + _NEAR >= start:
            first, count = (first if count else time), count + 1
            incomplete += frame.is_corrupt
            if not failed and not incomplete:
                yield time - first, frame
    if seek:  # the format can't seek to where the part begins
        yield from _decode(clip, seek=False)
    elif failed or incomplete or count < _WHOLE * len(clip.times):
        counts = f"{count} of its {len(clip.times)} frames decode, {incomplete} of them incompletely"
        raise DataError(clip.path, f"is damaged: {counts}, and {len(failed)} packets fail", _REENCODE)


def _frames(file: Path, target: int | None, failed: list[av.Packet]) -> Iterator[av.VideoFrame]:
    """Yield frames in the order shown, from the first or a keyframe before a time stamp; collect packets that fail."""
    with _open(file) as (container, stream):
        if target is not None:
            with suppress(av.FFmpegError):  # then decoding begins with the first frame
                container.seek(target, stream=stream)
        aspect, mpeg = stream.codec_context.sample_aspect_ratio, stream.name in ("mpeg1video", "mpeg2video")
        for packet in dropwhile(lambda packet: not packet.is_keyframe, container.demux(stream)):
            try:
                yield from packet.decode()
            except av.FFmpegError:
                failed.append(packet)
            headless = mpeg and packet.size > 0 and b"\0\0\1\0" not in bytes(packet)  # no picture begins in it
            failed += [packet] * (packet.is_corrupt or headless)
            if packet.is_keyframe and stream.codec_context.sample_aspect_ratio != aspect:
                raise DataError(file, "changes the shape of its pixels midway", _REENCODE)


def _rising(clip: _Clip, frames: Iterator[Any]) -> Iterator[tuple[float, av.VideoFrame]]:
    """Yield `(time_s, frame)`: seconds from the file's first frame, made up where a time stamp is missing or wrong."""
    previous = -clip.step
    for pair in pairwise(chain(frames, [None])):
        stamps = (getattr(frame, clip.clock, None) for frame in pair)
        time, ahead = (np.nan if stamp is None else (stamp - clip.origin) * clip.tick for stamp in stamps)
        if not time > previous or previous < ahead <= time:
            time = (previous + ahead) / 2 if ahead > previous else previous + clip.step
        yield time, pair[0]
        previous = time


def _pictures(clip: _Clip, resampled: Iterator[tuple[float, av.VideoFrame]]) -> Iterator[tuple[float, np.ndarray]]:
    """Yield `(time_s, RGB frame)`; where the size changes, letterbox to the first frame's."""
    reformatter, last, shape = VideoReformatter(), None, None
    for time, frame in resampled:
        if frame is not last:
            if shape is None or frame.key_frame:  # looking it up takes a tenth of the time of decoding
                try:
                    matrix = frame.side_data.get("DISPLAYMATRIX")
                except ValueError as error:
                    raise DataError(clip.path, "states an orientation that PyAV can't read", _REENCODE) from error
            image, last = _upright(clip, reformatter, frame, matrix), frame
            height, width = shape = shape or image.shape[:2]
            if image.shape[:2] != shape:
                scale = min(np.divide(shape, image.shape[:2]))
                h, w = (round(side * scale) or 1 for side in image.shape[:2])
                y, x = (height - h) // 2, (width - w) // 2
                bars = (y, height - h - y, x, width - w - x)
                image = cv2.copyMakeBorder(cv2.resize(image, (w, h)), *bars, cv2.BORDER_CONSTANT)
            image = clip.cut.crop(image)
        yield time, image


def _upright(clip: _Clip, reformatter: Any, frame: av.VideoFrame, matrix: Any) -> np.ndarray:
    """Return a frame as RGB with square pixels, rotated and mirrored as its display matrix says."""
    width = round(frame.width * clip.aspect) or 1
    image = reformatter.reformat(frame, width, format="rgb24", interpolation="BICUBIC", threads=1).to_ndarray()
    if matrix:  # what is at x, y is shown at a x + c y, b x + d y
        (a, b, _), (c, d, _), _ = np.frombuffer(matrix, np.int32).reshape(3, 3).tolist()
        straight, across = abs(a) + abs(d), abs(b) + abs(c)
        if min(straight, across) > 0.01 * max(straight, across):
            raise DataError(clip.path, "is turned by an angle that isn't a multiple of 90 degrees", _REENCODE)
        if across > straight:
            image, a, d = cv2.transpose(image), c, b
        for axis, direction in ((1, a), (0, d)):
            image = cv2.flip(image, axis) if direction < 0 else image
    return image


def _resample(decoded: Iterator[tuple[float, Any]], fps: float, seconds: float) -> Iterator[tuple[float, Any]]:
    """Yield the decoded frame nearest to each k / fps, for a clip of that many `seconds`."""
    k, total = 0, max(1, int(seconds * fps + 0.5 + _TIE))
    time, frame = next(decoded)
    for following, next_frame in decoded:
        while k < total and k / fps <= (time + following) / 2 + _TIE / fps:
            yield k / fps, frame
            k += 1
        time, frame = following, next_frame
    yield from ((late / fps, frame) for late in range(k, total))
