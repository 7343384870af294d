"""Where the FACS explorer's time goes, from the change of a slider to the face and the network's answer.

    python benchmarks/facs_explorer.py [--rounds 15] [--size 256]

Each light in turn, with and without the mask, and the parts of the first. Milliseconds of processor time over all
cores. The network has the class profile's size and untrained weights, which take as long as trained ones. The goal is
150 ms on two cores at 256 px.
"""

import argparse
import itertools
from collections.abc import Callable
from typing import Any

import pandas as pd

from microx_utils.experiments import get_profile, load_experiment
from microx_utils.faces.held import held_probabilities, look_at
from microx_utils.labels import EMOTIONS
from microx_utils.plots.style import EMOTION_COLOURS
from microx_utils.support.keras_setup import prepare_networks
from microx_utils.tools.measure import in_turns, report, time_row
from microx_utils.trackers.mesh import MeshTracker
from microx_utils.training import build
from microx_utils.widgets.facs_explorer import ANGLES, LIGHTS, PEOPLE, draw_face, values_for
from microx_utils.widgets.shown import Seen, bars, encode


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="pictures of each light and mask (default 15)")
    parser.add_argument("--size", type=int, default=256, help="side of the picture, px (default 256)")
    options = parser.parse_args()
    prepare_networks()
    experiment = load_experiment("table1_microx", get_profile("class"), seed=0)
    model, tracker = build(experiment), MeshTracker()
    strengths = itertools.cycle([round(0.07 * k, 2) for k in range(15)])  # each picture is new

    def render(light: str, mask: bool) -> Any:
        strength = next(strengths)
        values = values_for({12: strength, "4L": strength}) | dict.fromkeys(ANGLES, 0)
        return draw_face(values | {"person": PEOPLE[0], "light": light, "mask": mask}, options.size)

    def look(picture: Any) -> Any:
        return look_at(picture, tracker, size=experiment.crop_size)

    def answer(sight: Any) -> Any:
        return held_probabilities(model, experiment, sight.crops[None], batch=1)

    def show(picture: Any, answer: Any) -> Any:
        return encode(Seen(picture, "")), bars(pd.Series(answer[0], EMOTIONS), EMOTION_COLOURS, label="")

    def everything(light: str, mask: bool) -> None:
        picture = render(light, mask)
        show(picture, answer(look(picture)))

    first = next(iter(LIGHTS))
    picture = render(first, False)
    sight = look(picture)
    given = answer(sight)
    cases: dict[str, Callable[[], Any]] = {
        f"{first}: rendering": lambda: render(first, False),
        f"{first}: landmarks and crops": lambda: look(picture),
        f"{first}: network": lambda: answer(sight),
        f"{first}: PNG and bars": lambda: show(picture, given),
    }
    for light in LIGHTS:
        for mask in (False, True):
            cases[f"all of it, {light}{', mask' * mask}"] = lambda light=light, mask=mask: everything(light, mask)
    taken = in_turns(cases, options.rounds, warm_up=2)  # the first rounds make scenes and compile the network
    rows = [time_row(name, taken, name) for name in cases]
    report("FACS explorer, a slider's change to the answer", rows, size=f"{options.size} px")


if __name__ == "__main__":
    main()
