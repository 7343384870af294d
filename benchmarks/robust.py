"""Time the robust model (notebook 15) on one core: inputs and network of a segment, and of a clip.

    python benchmarks/robust.py [--profile class] [--rounds 50]

A segment is ten frames, of which five are looked at; crops and landmarks are in memory, as they are once a tracker has
found them. Seconds are processor time of one thread, which other programs affect less than wall time; the median and
the 95th percentile over rounds are shown, and the time of the published design's compact network on the same segment.
"""

import argparse
import os
import time
from collections.abc import Callable

import numpy as np

from microx_utils.components import COMPONENTS, PAPER_COMPONENTS
from microx_utils.experiments import get_profile
from microx_utils.robust.inputs import Faces, frame_inputs, spread
from microx_utils.robust.learning import design_of, read_recipe
from microx_utils.robust.predicting import CLIP_PARTS, SEGMENT_PARTS


def timed(step: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the median and the 95th percentile of a call's processor time, ms."""
    for _ in range(3):  # the first compile
        step()
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        step()
        taken.append(1000 * (time.process_time() - started))
    return float(np.median(taken)), float(np.quantile(taken, 0.95))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="class")
    parser.add_argument("--rounds", type=int, default=50, help="timed calls of each kind (default 50)")
    options = parser.parse_args()
    for threads in ("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        os.environ[threads] = "1"  # before anything imports TensorFlow
    from microx_utils.models import build_compact
    from microx_utils.robust.network import build

    profile = get_profile(options.profile)
    size, rng = profile.crop_size, np.random.default_rng(0)
    network = build(design_of(read_recipe(options.profile), size, tuple(f"AU{k:02}" for k in range(27))))
    crops = rng.integers(0, 256, (50, len(COMPONENTS), size, size, 3), np.uint8)
    points = rng.normal(size=(50, 68, 2)).astype(np.float32)
    faces = Faces(crops, points, np.ones((50, len(COMPONENTS)), bool), np.zeros((50, 3), int))
    compact = build_compact(size=size, filters=profile.filters, stride=profile.stride, dense=profile.dense)
    shown = {name: rng.integers(0, 256, (1, 10, size, size, 3), np.uint8) for name in PAPER_COMPONENTS}

    def answer(frames: int, parts: int) -> None:
        rows = spread([0], [frames], parts)[0]
        inputs = {name: values[:, 0] for name, values in frame_inputs(faces, rows[:, None]).items()}
        network.span.predict_on_batch(np.asarray(network.frame.predict_on_batch(inputs)["face"])[None])

    print(f"{network.parameters:,} parameters; {size} px crops; one thread; {options.rounds} rounds")
    rows = {
        "robust, a segment": lambda: answer(10, SEGMENT_PARTS),
        "robust, a clip of 50 frames": lambda: answer(50, CLIP_PARTS),
        "published design (compact), a segment": lambda: compact.predict_on_batch(shown),
    }
    print(f"{'':40}{'median ms':>10}{'95 % ms':>10}")
    for name, step in rows.items():
        median, high = timed(step, options.rounds)
        print(f"{name:40}{median:>10.2f}{high:>10.2f}")


if __name__ == "__main__":
    main()
