"""A kind of `stress`: videos in several containers, harmed in their bytes, beside ffmpeg at its strictest."""

from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import av
import numpy as np
from encoded import CODECS, encode
from joblib.externals.loky import get_reusable_executor
from stress import Kind, WrongResult
from stress_tables import harm_bytes, pick

from microx_utils.support.lost_clips import watched
from microx_utils.video import probe_video, read_frames

SMILE = Path(__file__).parent / "data" / "openface" / "happy.mp4"
STRICT = {"err_detect": "crccheck+bitstream+buffer+careful+compliant+aggressive+explode"}
LENIENT = {"err_detect": "crccheck+bitstream+careful+compliant+explode"}
"""For FLV, whose encoders end frames as they like: FFmpeg and the project think nothing of junk at a frame's end."""
LEVELS = 2.0
"""Mean difference of two frames, of 255 levels, up to which they count as the same."""


def plainly_decoded(path: Path) -> tuple[list[np.ndarray], float] | None:
    """Return the frames and seconds that ffmpeg finds without any complaint; None if it has one."""
    frames, times = [], []
    strictly = LENIENT if path.suffix == ".flv" else STRICT
    try:
        with av.open(str(path), options=strictly) as container:
            stream = container.streams.video[0]
            stream.codec_context.options = strictly
            for packet in container.demux(stream):
                if packet.is_corrupt:
                    return None
                for frame in packet.decode():
                    if frame.is_corrupt:
                        return None
                    frames.append(frame.to_ndarray(format="rgb24"))
                    times.append(frame.time if frame.time is not None else len(times) / 30)
    except (av.FFmpegError, ValueError, IndexError):
        return None
    if not frames:
        return None
    steps = np.diff(np.sort(times))
    return frames, float(max(times) - min(times) + (np.median(steps) if len(steps) else 1 / 30))


def apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean()) if a.shape == b.shape else np.inf


def read_beside(path: Path, good: np.ndarray) -> str:
    """Read a harmed video and compare it with the unharmed one, and with what ffmpeg makes of it."""
    probe_video(path)
    frames = read_frames(path)[0]
    if len(frames) == len(good) and max(map(apart, frames, good)) <= LEVELS:
        return "as unharmed"
    plain = plainly_decoded(path)
    if plain is None:
        raise WrongResult(f"{len(frames)} frames are read, other than the {len(good)} unharmed; ffmpeg complains")
    shown, seconds = plain
    if abs(len(frames) / 30 - seconds) > 0.1 + 0.1 * seconds:
        raise WrongResult(f"{len(frames)} frames are read of {seconds:.2f} s in {len(shown)} frames")
    place = 0
    for number, frame in enumerate(frames):
        while apart(frame, shown[place]) > LEVELS:
            place += 1
            if place == len(shown):
                raise WrongResult(f"frame {number} of {len(frames)} is none of the {len(shown)} that ffmpeg shows")
    return "as it now plays"


class Videos:
    """Small videos of a rendered face. They are read in a process of their own, as the project reads them."""

    name, share, longest = "video", 10.0, 60.0

    def prepare(self, folder: Path) -> None:
        frames = read_frames(SMILE)[0][20:40, 64:192, 64:192]
        self.good = {}
        for suffix in CODECS:
            encode(folder / f"good{suffix}", frames)
            self.good[suffix] = (folder / f"good{suffix}").read_bytes(), read_frames(folder / f"good{suffix}")[0]

    def attempt(self, rng: np.random.Generator, folder: Path) -> str:
        suffix = pick(rng, list(self.good))
        data, good = self.good[suffix]
        path = folder / f"clip{suffix}"
        path.write_bytes(harm_bytes(data, rng))
        worker = get_reusable_executor(max_workers=1, timeout=600)
        try:
            return worker.submit(watched, read_beside, self.longest, (path, good)).result()
        except BrokenProcessPool:  # the project lists the clip: see lost_clips
            return "its process died"


VIDEO_KINDS: list[Kind] = [Videos()]
