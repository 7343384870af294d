"""Time a training step of compact MicroX against the published network in stock Keras, in one run.

    python benchmarks/training.py [--rounds 5] [--batch 8]

Both see the same five components, 32 px, ten frames; the published one keeps its 64 filters and its dense layer of
256. Steps of the two alternate, so that other work on the machine affects both. Seconds are processor time over all
cores, which other programs affect less than wall time; the median over rounds is shown.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import keras
import numpy as np

from microx_utils.components import PAPER_COMPONENTS
from microx_utils.models import build_compact, build_published


def timed(step: Callable[[], object]) -> tuple[float, float]:
    """Return processor and clock seconds of one call."""
    clock, processor = time.perf_counter(), time.process_time()
    step()
    return time.process_time() - processor, time.perf_counter() - clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="timed steps of each network (default 5)")
    parser.add_argument("--batch", type=int, default=8, help="clips in a step (default 8, the paper's)")
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    shape = (options.batch, 10, 32, 32, 3)
    x = {name: rng.integers(0, 256, shape, np.uint8) for name in PAPER_COMPONENTS}
    y = rng.integers(0, 7, options.batch)
    networks = {
        "published, 64 filters": build_published(size=32, pixels="scaled"),
        "compact, 16 filters": build_compact(size=32),
    }
    steps: dict[str, dict[str, Callable[[], object]]] = {"train": {}, "predict": {}}
    for name, network in networks.items():
        network.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
        steps["train"][name] = partial(network.train_on_batch, x, y)
        steps["predict"][name] = partial(network.predict_on_batch, x)

    print(f"Keras {keras.__version__} on {keras.backend.backend()}, batch {options.batch}, {options.rounds} rounds")
    print(f"{'':9}{'network':24}{'parameters':>12}{'ms CPU/clip':>13}{'ms/clip':>9}")
    for work, pair in steps.items():
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in pair}
        for step in pair.values():  # the first calls compile
            step(), step()
        for _ in range(options.rounds):
            for name, step in pair.items():
                taken[name].append(timed(step))
        medians = {}
        for name, times in taken.items():
            medians[name] = [1000 * statistics.median(column) / options.batch for column in zip(*times, strict=True)]
            processor, clock = medians[name]
            print(f"{work:9}{name:24}{networks[name].count_params():>12,}{processor:>13.2f}{clock:>9.2f}")
        published, compact = medians.values()
        print(f"{work:9}{published[0] / compact[0]:.1f} times less processor time a clip\n")


if __name__ == "__main__":
    main()
