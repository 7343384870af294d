"""Speed of landmarks and crops on one core, with every comparison measured in the same run.

    python benchmarks/landmarks.py [VIDEO] [--repeats 5]

Times are processor time, which a busy machine affects less; the best of the repeats counts.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from microx_utils.components import crop_components
from microx_utils.landmarks import landmark_array, track_frames
from microx_utils.trackers.mesh import MeshTracker
from microx_utils.video import iter_frames

CLIP = Path(__file__).parents[1] / "tests" / "data" / "openface" / "happy.mp4"
OPENFACE = 30.0  # frames/s of OpenFace 2.2 on one core of the machine the landmark error was measured on


def rate(work: Callable[[], object], frames: int, repeats: int) -> float:
    """Frames per second of processor time, best of `repeats`."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return frames / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, default=CLIP)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)

    frames = list(iter_frames(arguments.video))
    following, detecting = MeshTracker(), MeshTracker(follow=False)
    points = landmark_array(track_frames(frames, following))  # also warms up

    def crop_all() -> None:
        for (_, frame), places in zip(frames, points, strict=True):
            crop_components(frame, places)

    def video_to_crops() -> None:
        following.reset()
        for _, frame in iter_frames(arguments.video):
            crop_components(frame, following(frame).points)

    work: dict[str, Callable[[], object]] = {
        "landmarks, detecting in every frame": lambda: track_frames(frames, detecting),
        "landmarks, following the face": lambda: track_frames(frames, following),
        "reading frames": lambda: sum(1 for _ in iter_frames(arguments.video)),
        "seven 32 px crops": crop_all,
        "video in to crops out": video_to_crops,
    }
    rates = {name: rate(function, len(frames), arguments.repeats) for name, function in work.items()}

    height, width = frames[0][1].shape[:2]
    base = rates["landmarks, detecting in every frame"]
    print(f"{arguments.video.name}: {len(frames)} frames of {width}x{height}, one core")
    print(f"{'':38} frames/s   x detecting   x OpenFace's {OPENFACE:.0f}")
    for name, value in rates.items():
        print(f"{name:38} {value:8.0f} {value / base:13.2f} {value / OPENFACE:14.1f}")


if __name__ == "__main__":
    main()
