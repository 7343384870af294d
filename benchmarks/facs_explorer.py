"""Where the FACS explorer's time goes, from the change of a slider to the face and the network's answer.

    python benchmarks/facs_explorer.py [--changes 40] [--size 256]

Each light in turn, with and without the mask. Medians in milliseconds, by the clock and, which other programs affect
less, of processor time over all cores. The network has the class profile's size and untrained weights, which take as
long as trained ones. The goal is 150 ms on two cores at 256 px.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from microx_utils.experiments import get_profile, load_experiment
from microx_utils.faces.held import held_probabilities, look_at
from microx_utils.labels import EMOTIONS
from microx_utils.plots.style import EMOTION_COLOURS
from microx_utils.support.keras_setup import prepare_networks
from microx_utils.trackers.mesh import MeshTracker
from microx_utils.training import build
from microx_utils.widgets.facs_explorer import ANGLES, LIGHTS, PEOPLE, draw_face, values_for
from microx_utils.widgets.shown import Seen, bars, encode


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--changes", type=int, default=40, help="pictures of each light and mask (default 40)")
    parser.add_argument("--size", type=int, default=256, help="side of the picture, px (default 256)")
    options = parser.parse_args()
    prepare_networks()
    experiment = load_experiment("table1_microx", get_profile("class"), seed=0)
    model, tracker = build(experiment), MeshTracker()
    spent: dict[tuple[str, str], list[tuple[float, float]]] = {}

    def timed(case: str, phase: str, work: Callable[[], Any]) -> Any:
        clock, processor = time.perf_counter(), time.process_time()
        result = work()
        passed = 1000 * (time.perf_counter() - clock), 1000 * (time.process_time() - processor)
        spent.setdefault((case, phase), []).append(passed)
        return result

    for light in LIGHTS:
        for mask in (False, True):
            case = f"{light}{', mask' * mask}"
            for strength in np.linspace(0, 1, options.changes + 2):
                values = values_for({12: strength, "4L": strength}) | dict.fromkeys(ANGLES, 0)
                values |= {"person": PEOPLE[0], "light": light, "mask": mask}
                picture = timed(case, "rendering", lambda v=values: draw_face(v, options.size))
                sight = timed(
                    case, "landmarks and crops", lambda p=picture: look_at(p, tracker, size=experiment.crop_size)
                )
                answer = timed(
                    case, "network", lambda s=sight: held_probabilities(model, experiment, s.crops[None], batch=1)
                )
                series = pd.Series(answer[0], EMOTIONS)
                timed(
                    case,
                    "PNG and bars",
                    lambda p=picture, s=series: (encode(Seen(p, "")), bars(s, EMOTION_COLOURS, label="")),
                )
    rows: dict[str, dict[str, float]] = {}
    for (case, phase), times in spent.items():
        kept = np.array(times[2:])  # the first two make scenes and compile the network
        for name, column in (("", kept[:, 0]), (" (processor)", kept[:, 1])):
            rows.setdefault(f"{case}{name}", {})[phase] = float(np.median(column))
    table = pd.DataFrame.from_dict(rows, orient="index")
    print(table.assign(total=table.sum(axis=1)).round(0).astype(int).to_string())


if __name__ == "__main__":
    main()
