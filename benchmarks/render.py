"""Frames per second of the face renderer on one core, against a plain NumPy rasteriser on the same mesh.

    python benchmarks/render.py [--frames 30] [--person 26] [--lines 192]

The baseline draws only depth and triangle numbers, one triangle at a time in NumPy, without textures, light or hair;
the renderer does all of it. Both run in turn on the same frames, at 192 lines like the sample or any other number
(twice that internally). Processor time is shown as well as wall time, because other programs affect it less. The last
line is the time that it takes to make a person.
"""

import argparse
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np

from microx_utils.faces import SCENES
from microx_utils.faces.head import head_model
from microx_utils.faces.person import Person
from microx_utils.faces.render import Stage
from microx_utils.faces.scene import SUPERSAMPLING


def rasterize_plainly(xy, depth, triangles, height: int, width: int) -> np.ndarray:
    """Return the number of the nearest triangle per pixel (H, W), -1 for none."""
    nearest, which = np.full((height, width), 1e9), np.full((height, width), -1)
    for t, corners in enumerate(triangles):
        p = xy[corners]
        (left, top), (right, bottom) = np.floor(p.min(0)).astype(int), np.ceil(p.max(0)).astype(int)
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        (ax, ay), (bx, by), (cx, cy) = p
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area >= 0 or left >= right or top >= bottom:
            continue
        x, y = np.meshgrid(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5)
        w1 = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
        w2 = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
        z = depth[corners[0]] + w1 * (depth[corners[1]] - depth[corners[0]])
        z += w2 * (depth[corners[2]] - depth[corners[0]])
        view = nearest[top:bottom, left:right]
        closer = (w1 >= 0) & (w2 >= 0) & (w1 + w2 <= 1) & (z < view)
        view[closer] = z[closer]
        which[top:bottom, left:right][closer] = t
    return which


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--person", type=int, default=26, help="default: 26, who has long hair, the slowest kind")
    parser.add_argument("--lines", type=int, default=192, help="height of the frames, px; they are 16:9")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    model = head_model()
    triangles = model.triangles[model.visible]
    size = (round(options.lines * 16 / 9), options.lines)
    width, height = (side * SUPERSAMPLING for side in size)
    for scene in SCENES:
        stage = Stage(options.person, "happy", 0, frames=options.frames, fps=30.0, size=size, scene=scene)
        stage.draw(0)  # compile and fill caches
        seconds = {"renderer": [0.0, 0.0], "NumPy rasteriser": [0.0, 0.0]}
        drawn = {"renderer": 0, "NumPy rasteriser": 0}
        for frame in range(options.frames):
            for name in ("renderer", "NumPy rasteriser"):
                if name == "NumPy rasteriser" and frame % 10:
                    continue  # a tenth of the frames is enough for the slow one
                clock, processor = time.perf_counter(), time.process_time()
                if name == "renderer":
                    stage.draw(frame)
                else:
                    xy, depth = stage.drawer.project(stage.drawer.pose(frame)[1], frame)
                    rasterize_plainly(xy * SUPERSAMPLING, depth, triangles, height, width)
                seconds[name][0] += time.perf_counter() - clock
                seconds[name][1] += time.process_time() - processor
                drawn[name] += 1
        rates = {name: [drawn[name] / max(second, 1e-9) for second in seconds[name]] for name in seconds}
        for name, (clock, processor) in rates.items():
            print(f"{scene:8s} {name:17s} {clock:6.1f} frames/s by wall time, {processor:6.1f} by processor time")
        print(f"{scene:8s} ratio by processor time: {rates['renderer'][1] / rates['NumPy rasteriser'][1]:.1f}")
    processor = time.process_time()
    for person in range(100, 110):
        Person(person)
    print(f"a person is made in {(time.process_time() - processor) / 10:.2f} s of processor time (mean of 10)")


if __name__ == "__main__":
    main()
