"""Frames per second of the face renderer on one core, against a plain NumPy rasteriser on the same mesh.

    python benchmarks/render.py [--rounds 15] [--person 26] [--lines 192]

The baseline draws only depth and triangle numbers, one triangle at a time in NumPy, without textures, light or hair;
the renderer does all of it. Both draw the same frame in turn, at 192 lines or any other number (twice that
internally). The last row is the time that it takes to make a person.
"""

import argparse
import itertools

import cv2
import numpy as np

from microx_utils.faces import SCENES
from microx_utils.faces.head import head_model
from microx_utils.faces.person import Person
from microx_utils.faces.render import Stage
from microx_utils.faces.scene import SUPERSAMPLING
from microx_utils.tools.measure import in_turns, rate_row, ratio_row, report, time_row

FRAMES = 30
"""Of the film whose frames are drawn, evenly spaced, one a round."""


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
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--person", type=int, default=26, help="default: 26, who has long hair, the slowest kind")
    parser.add_argument("--lines", type=int, default=192, help="height of the frames, px; they are 16:9")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    model = head_model()
    triangles = model.triangles[model.visible]
    size = (round(options.lines * 16 / 9), options.lines)
    width, height = (side * SUPERSAMPLING for side in size)
    rows = []
    for scene in SCENES:
        stage = Stage(options.person, "happy", 0, frames=FRAMES, fps=30.0, size=size, scene=scene)
        places = {"renderer": 0, "NumPy rasteriser": 0}

        def next_frame(case: str, places: dict[str, int] = places) -> int:
            places[case] += 1
            return (places[case] - 1) * FRAMES // (options.rounds + 1)

        def draw(stage: Stage = stage, next_frame=next_frame) -> object:
            return stage.draw(next_frame("renderer"))

        def draw_plainly(stage: Stage = stage, next_frame=next_frame) -> object:
            frame = next_frame("NumPy rasteriser")
            xy, depth = stage.drawer.project(stage.drawer.pose(frame)[1], frame)
            return rasterize_plainly(xy * SUPERSAMPLING, depth, triangles, height, width)

        taken = in_turns({"renderer": draw, "NumPy rasteriser": draw_plainly}, options.rounds)
        rows.append(rate_row(f"rendering, {scene}", taken, "renderer", per=1, unit="frames/s"))
        rows.append(ratio_row(f"rendering, {scene}, against plain NumPy", taken, "NumPy rasteriser", "renderer"))
    people = itertools.count(100)
    taken = in_turns({"person": lambda: Person(next(people))}, options.rounds)
    rows.append(time_row("making a person", taken, "person"))
    about = "×".join(map(str, size))
    report("Rendering, one core", rows, person=options.person, size=about, supersampling=SUPERSAMPLING, threads=1)


if __name__ == "__main__":
    main()
