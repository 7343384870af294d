"""What a mask costs weights of the robust model, and what they see of a masked face: to choose by, before any test.

    python benchmarks/masks.py DATA [--weights FOLDER] [--profile class]

DATA are takes without and with a mask of people whom nobody trained on, such as `own=build/people/own`, which
`microx data render build/people --people N` renders. The sample's own recordings are for testing, not for choices.
"Told" is the answer when the network is told which components a mask hides: the least that a mask costs this network.
"""

import argparse
from types import SimpleNamespace

import pandas as pd

from microx_utils.apply.answers import SHIPPED
from microx_utils.batches import segment_table
from microx_utils.course.stages import crops_of
from microx_utils.experiments import get_profile, load_experiment
from microx_utils.robust.inputs import store_faces
from microx_utils.robust.judging import mask_costs, seen_in_clips, told_apart
from microx_utils.robust.predicting import CLIP_PARTS, answers, clip_spans, load_network
from microx_utils.tools.own_recordings import pair_takes
from microx_utils.training import predictions_table

BEHIND_A_MASK = ("nose", "mouth", "full_face")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--weights", default=SHIPPED)
    parser.add_argument("--profile", default="class")
    options = parser.parse_args()
    profile = get_profile(options.profile)
    store = crops_of(options.data, profile, own=True, style="aligned")
    spans = clip_spans(segment_table(load_experiment("table1_microx", profile), store), store).assign(split="test")
    network, faces = load_network(options.weights), store_faces(store)

    def takes(hide: tuple[str, ...] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
        return pair_takes(predictions_table(spans, answers(network, faces, spans, CLIP_PARTS, hide=hide)))

    plain, masked = takes()
    pairs = {"as it is": (plain, masked), "told": (plain, takes(BEHIND_A_MASK)[1])}
    print(f"{options.data}: {len(plain)} pairs of {plain['subject'].nunique()} people, chance 1/7; 95 % over people")
    print(mask_costs(pairs, reference="as it is", samples=2000, seed=0).round(3).to_string())
    available = seen_in_clips(SimpleNamespace(load=lambda: network), store)["available"]  # type: ignore[arg-type]
    worn = store.clips.set_index("clip_id")["condition"].reindex(available.index).eq("mask")
    print(told_apart(available, worn).round(3).to_string())


if __name__ == "__main__":
    main()
