"""Speed of a face in a stream on one core, step by step: the network compiled for LiteRT against Keras.

    python benchmarks/live.py [VIDEO] [--repeats 3] [--height 480]

Each frame's processor time counts, which a busy machine affects less than the clock; of the repeats, each frame's best.
A step's share of 33 ms says what is left of a camera's 30 frames per second; the goal is 30 frames/s and a 95th
percentile under 50 ms, landmarks included. The network is the shipped one, or an untrained one of its design.
"""

import argparse
import os
import time
from pathlib import Path

import cv2
import numpy as np

from microx_utils.apply.answers import SHIPPED, load_weights
from microx_utils.apply.compiled import Halves, compiled, plain
from microx_utils.apply.stream import Stream
from microx_utils.robust.network import Design, Network, build
from microx_utils.support.keras_setup import prepare_networks
from microx_utils.video import FPS, read_frames

CLIP = Path(__file__).parents[1] / "tests" / "data" / "openface" / "happy.mp4"


def camera_frames(video: Path, height: int) -> list[bytes]:
    """Return a video's frames as a camera of 4:3 sends them through a browser: JPEG, with the video in the middle."""
    sent = []
    for frame in read_frames(video)[0]:
        factor = height / frame.shape[0]
        large = cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
        side = max(0, (round(height * 4 / 3) - large.shape[1]) // 2)
        picture = cv2.copyMakeBorder(large, 0, 0, side, side, cv2.BORDER_CONSTANT, value=(120, 120, 120))
        sent.append(cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
    return sent


def measure(halves: Halves, sent: list[bytes]) -> dict[str, np.ndarray]:
    """Return for each frame the processor time of decoding and of the stream, and the steps by the clock, in ms."""
    stream, rows = Stream(halves), []
    for number, data in enumerate(sent):
        start, began = time.process_time(), time.perf_counter()
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        decoded = time.process_time()
        moment = stream.push(picture, number / FPS)
        end = time.process_time()
        spent = {"JPEG decoding": decoded - start, "all": end - start, "all, by the clock": time.perf_counter() - began}
        rows.append({name: 1000 * value for name, value in spent.items()} | moment.milliseconds)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, 0.0) for row in rows]) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, default=CLIP)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--height", type=int, default=480)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    prepare_networks()
    shipped = (SHIPPED / "design.json").exists()
    network: Network = load_weights() if shipped else build(Design())
    sent = camera_frames(arguments.video, arguments.height)
    print(f"{arguments.video.name}: {len(sent)} frames, {arguments.height} px high; one core; ", end="")
    print(f"{'the shipped' if shipped else 'an untrained'} network of {network.parameters:,} parameters")
    print(f"{'network':8} {'step':18} {'mean ms':>8} {'95th percentile':>16}   of 33 ms")
    for halves in (compiled(network), compiled(network, kind="int8"), plain(network)):
        measure(halves, sent[:10])  # warms up
        tries = [measure(halves, sent) for _ in range(arguments.repeats)]
        best = {name: np.min([each[name] for each in tries], axis=0) for name in tries[0]}
        for name, spent in best.items():
            mean, high = spent.mean(), np.percentile(spent, 95)
            print(f"{halves.kind:8} {name:18} {mean:8.2f} {high:16.2f} {mean / 1000 * FPS:10.0%}")
        print(f"{halves.kind:8} {'frames/s':18} {1000 / best['all'].mean():8.0f}", flush=True)


if __name__ == "__main__":
    main()
