"""From video to crops on one core: reading, landmarks by the trackers that are installed, crops; frames in a second.

python benchmarks/landmarks.py [VIDEO] [--rounds 7]
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2

from microx_utils.components import crop_components
from microx_utils.landmarks import landmark_array, track_frames
from microx_utils.support import paths
from microx_utils.tools.measure import in_turns, rate_row, ratio_row, report
from microx_utils.trackers import dlib
from microx_utils.trackers.mesh import MeshTracker
from microx_utils.video import iter_frames

CLIP = paths.ROOT / "tests" / "data" / "openface" / "happy.mp4"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, default=CLIP)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    cv2.setNumThreads(1)

    frames = list(iter_frames(options.video))
    following, detecting = MeshTracker(), MeshTracker(follow=False)
    points = landmark_array(track_frames(frames, following))

    def crop_all() -> None:
        for (_, frame), places in zip(frames, points, strict=True):
            crop_components(frame, places)

    def video_to_crops() -> None:
        following.reset()
        for _, frame in iter_frames(options.video):
            crop_components(frame, following(frame).points)

    cases: dict[str, Callable[[], object]] = {
        "reading frames": lambda: sum(1 for _ in iter_frames(options.video)),
        "landmarks, following the face": lambda: track_frames(frames, following),
        "landmarks, searching every frame": lambda: track_frames(frames, detecting),
        "seven 32 px crops": crop_all,
        "video in to crops out": video_to_crops,
    }
    if missing := dlib.problem():
        print(f"dlib is left out: {missing}")
    else:
        tracker = dlib.DlibTracker()
        cases["landmarks by dlib"] = lambda: track_frames(frames, tracker)
    taken = in_turns(cases, options.rounds)
    rows = [rate_row(name, taken, name, per=len(frames), unit="frames/s") for name in cases]
    if "landmarks by dlib" in cases:
        rows.append(
            ratio_row("following the face, against dlib", taken, "landmarks by dlib", "landmarks, following the face")
        )
    height, width = frames[0][1].shape[:2]
    about = {"video": options.video.name, "frames": len(frames), "size": f"{width}×{height}", "threads": 1}
    report("Video to crops, one core", rows, **about)


if __name__ == "__main__":
    main()
