"""Which compact MicroX is most accurate for its cost? Chosen on validation people; test people are seen once, at last.

    python benchmarks/accuracy_cost.py [--profile class] [--folds 3] [--keep 2] [--seeds 1] [--only pool_3,shared]

The test people of the profile's split (seed 0) are set aside. The others are divided into folds; a variant is trained
on all folds but one and predicts that one. First all variants do so for the first fold, then the few of the lowest loss
for every fold, so that each of these people is predicted once. Of those that cost at most a tenth of the published
design, the one of the lowest loss is chosen. It and, beside it, the profile's own network are trained on the split's
training people and predict the test people. The systems of Table 2 are those of notebook 08, on the same split.

Trainings are kept in the cache, each as soon as it has ended, so a run that was stopped goes on. A variant's cost is
the processor time on one core for a clip of median length whose crops are in memory, measured in turns before anything
is trained; that of a system is what it noted itself, by the clock. `--stock` also trains the published design at the
profile's crop size, for the first fold and the test people: hours on two cores, a minute on a GPU (KERAS_BACKEND=jax).
data/reference_runs/README.md says what is in the table, data/reference_runs/accuracy_cost.csv.
"""

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm
from variants import STOCK, Variant, network, variants_of

from microx_utils import evaluation
from microx_utils.batches import batches, split_table
from microx_utils.course.stages import crops_of
from microx_utils.crops import CropStore
from microx_utils.experiments import Experiment, get_profile, load_experiment
from microx_utils.labels import CHANCE, PROBABILITIES
from microx_utils.rivals.systems import run_system
from microx_utils.support import cache as caching
from microx_utils.support import paths
from microx_utils.support.parallel import run_parallel
from microx_utils.tools.measure import commit, in_turns, processor, time_row
from microx_utils.training import compile_model, predictions_table, score, start_epoch

CODE_VERSION = 1
"""Part of every training's key. Raise it when a change here, or in `variants`, alters what a training computes."""
BASE = "profile"
"""The variant that the others are compared with."""
SYSTEMS = ("landmarks", "lpq_svm", "two_streams")
ONE_CORE = {"TF_NUM_INTEROP_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Set for this process and those that it starts, before TensorFlow computes anything."""
PREDICTED = 64
"""Segments predicted at a time."""
RESULTS = paths.DATA / "reference_runs" / "accuracy_cost.csv"


def reduced(crops: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return square crops (..., S, S, 3) at another size."""
    if crops.shape[-2] == size:
        return crops
    each = crops.reshape(-1, *crops.shape[-3:])
    small = [cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA) for crop in each]
    return np.reshape(small, (*crops.shape[:-3], size, size, 3))


def seen(
    rows: pd.DataFrame, store: CropStore, variant: Variant, size: int, rng: np.random.Generator | None = None
) -> Iterator[tuple[dict[str, NDArray[np.uint8]], NDArray[np.int64]]]:
    """Yield what a variant sees of `size` segments at a time, and class indices; augmented by `rng`, if given."""
    for inputs, labels in batches(rows, store, variant.experiment, size=size, augment_by=rng):
        yield {name: reduced(crops[:, :: variant.every], variant.size) for name, crops in inputs.items()}, labels


def answers(model: keras.Model, rows: pd.DataFrame, store: CropStore, variant: Variant) -> NDArray[np.float32]:
    """Return probabilities (n, 7). Not compiled: a smaller last batch would be compiled again."""
    found = [model(inputs, training=False) for inputs, _ in seen(rows, store, variant, PREDICTED)]
    return np.concatenate([keras.ops.convert_to_numpy(each) for each in found])


def train(variant: Variant, rows: pd.DataFrame, store: CropStore, folder: Path) -> None:
    """Train on the split "train"; keep what the epoch of the lowest validation loss predicts of the other people.

    The steps are those of `training.train`.
    """
    experiment = variant.experiment
    keras.utils.set_random_seed(experiment.seed)
    model = compile_model(network(variant), experiment)
    fitted, held = rows[rows["split"] == "train"], rows[rows["split"] == "validation"]
    history: list[dict[str, float]] = []
    best, lowest = model.get_weights(), 0
    while len(history) < experiment.epochs and len(history) - lowest <= experiment.patience:
        order, rng = start_epoch(model, len(fitted), experiment, len(history))
        fed = seen(fitted.iloc[order], store, variant, experiment.batch_size, rng if experiment.augment else None)
        losses = [float(model.train_on_batch(*each, return_dict=True)["loss"]) for each in fed]
        found = score(answers(model, held, store, variant), held)
        row = {"epoch": len(history) + 1, "loss": float(np.mean(losses))}
        history.append(row | {f"val_{name}": value for name, value in found.items()})
        if history[-1]["val_loss"] <= history[lowest]["val_loss"]:
            best, lowest = model.get_weights(), len(history) - 1
    model.set_weights(best)
    asked = rows[rows["split"] != "train"]
    with caching.atomic_folder(folder) as made:
        predictions_table(asked, answers(model, asked, store, variant)).to_parquet(made / "predictions.parquet")
        pd.DataFrame(history).to_csv(made / "history.csv", index=False)
        software = f"Keras {keras.__version__} on {keras.backend.backend()}"
        (made / "settings.json").write_text(json.dumps(asdict(variant) | {"software": software}, indent=2))


def divisions(table: pd.DataFrame, folds: int) -> list[pd.DataFrame]:
    """Return the segments of those who are not tested, once for each fold: its people are "validation"."""
    rest = table[table["split"] != "test"].reset_index(drop=True)
    cut = StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(rest, rest["emotion"], rest["split_group"])
    held_out = [rest.index.isin(held) for _, held in cut]
    return [rest.assign(split=np.where(held, "validation", "train")) for held in held_out]


def predictions(
    variants: Mapping[str, Variant],
    divided: Sequence[pd.DataFrame],
    side: str,
    store: CropStore,
    *,
    seeds: int,
    jobs: int,
) -> dict[str, pd.DataFrame]:
    """Return what each variant predicts of one side of all divisions, the seeds pooled; trained, or kept."""
    places: dict[tuple[str, int, int], Path] = {}
    missing = []
    for (name, variant), seed, (k, rows) in product(variants.items(), range(seeds), enumerate(divided)):
        seeded = replace(variant, experiment=replace(variant.experiment, seed=seed))
        sides = rows[["segment_id", "split"]].to_csv(index=False)
        key = caching.content_key(variant=asdict(seeded), rows=sides, store=store.key, code=CODE_VERSION)
        places[name, seed, k] = folder = paths.PROCESSED / "accuracy_cost" / key
        if not caching.ready(folder):
            missing.append((seeded, rows, store, folder))
    run_parallel(train, missing, desc="trainings", unit="training", jobs=jobs)
    tables = {place: pd.read_parquet(folder / "predictions.parquet") for place, folder in places.items()}
    tables = {place: rows[rows["split"] == side] for place, rows in tables.items()}
    every = range(len(divided))
    return {
        name: evaluation.pool({s: pd.concat([tables[name, s, k] for k in every]) for s in range(seeds)})
        for name in variants
    }


def scores(found: pd.DataFrame, beside: pd.DataFrame | None = None) -> dict[str, float]:
    """Return a table's row: accuracies, loss and number of segments; with `beside`, the difference from that."""
    low, high = evaluation.bootstrap_interval(found)
    row = {"n": len(found), "accuracy": evaluation.summary(found)["accuracy"], "low": low, "high": high}
    row["clip_accuracy"] = evaluation.summary(evaluation.clip_predictions(found))["accuracy"]
    row["loss"] = score(found[list(PROBABILITIES)].to_numpy(), found)["loss"]
    if beside is not None:
        difference = evaluation.paired_difference(found, beside)
        row |= dict(zip(("difference", "difference_low", "difference_high"), difference, strict=True))
    return row


def costs(variants: Mapping[str, Variant], segments: int, rounds: int = 9) -> pd.DataFrame:
    """Return each network's parameters, and the milliseconds that it takes for one clip of so many segments."""
    rng, cases, parameters = np.random.default_rng(0), {}, []
    for name, variant in variants.items():
        model = network(variant, keras_layer=name == STOCK)
        x = {each.name: rng.integers(0, 256, (segments, *each.shape[1:]), np.uint8) for each in model.inputs}
        cases[name] = partial(model.predict_on_batch, x)
        parameters.append(model.count_params())
    taken = in_turns(cases, rounds, warm_up=2)
    ms = [time_row(name, taken, name).median for name in cases]
    return pd.DataFrame({"parameters": parameters, "ms_per_clip": ms}, index=list(cases))


def chosen(loss: Mapping[str, float], cost: Mapping[str, float]) -> str:
    """Return whose loss is lowest, of those that cost at most a tenth of the published design."""
    cheap = [name for name in loss if cost[name] <= cost[STOCK] / 10]
    if not cheap:
        raise ValueError(f"none of {sorted(loss)} costs at most a tenth of the {STOCK}; name others with --only")
    return min(cheap, key=lambda name: loss[name])


def system_rows(experiment: Experiment, store: CropStore) -> Iterator[dict[str, Any]]:
    """Yield the rows of the systems of Table 2: segments and clips, each by a classifier of its own."""
    for name in SYSTEMS:
        system = run_system(name, experiment, store)
        row = {"name": name, "kind": "system", "people": "test", **scores(system.table("segment"))}
        row["clip_accuracy"] = evaluation.summary(system.table("clip"))["accuracy"]
        row |= {"parameters": system.timings["parameters"], "ms_per_clip": system.timings["milliseconds_per_clip"]}
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="class", choices=("class", "smoke"))
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--keep", type=int, default=2, help="how many variants are trained for every fold")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each fold, with other initial weights")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time, on one core each")
    parser.add_argument("--only", default="", metavar="NAMES", help="variants, such as pool_3,shared (default: all)")
    parser.add_argument("--stock", action="store_true", help="train the published design, too")
    parser.add_argument("--to", type=Path, default=RESULTS, metavar="FILE", help="where the table goes")
    options = parser.parse_args()

    os.environ.update(ONE_CORE)
    about = {"machine": f"{processor()}, {os.cpu_count()} cores", "commit": commit()}
    profile = get_profile(options.profile)
    experiment, store = load_experiment("table1_microx", profile), crops_of("sample", profile)
    every = variants_of(experiment)
    names = options.only.split(",") if options.only else [name for name in every if name != STOCK]
    if unknown := sorted(set(names) - set(every)):
        parser.error(f"no variants {unknown}; choose from {', '.join(every)}")
    variants = {name: every[name] for name in dict.fromkeys([BASE, *names, *[STOCK] * options.stock])}
    table = split_table(experiment, store)
    folds = divisions(table, options.folds)
    segments = int(table.groupby("clip_id").size().median())
    cost = costs(variants | {STOCK: every[STOCK]}, segments)
    print(cost.round(2).to_string(), flush=True)
    ask = partial(predictions, store=store, seeds=options.seeds, jobs=options.jobs)

    first = ask(variants, folds[:1], "validation")
    found = {"first fold": first}
    compact = sorted((name for name in first if name != STOCK), key=lambda name: scores(first[name])["loss"])
    kept = {name: variants[name] for name in dict.fromkeys([BASE, *compact[: options.keep]])}
    found["all folds"] = ask(kept, folds, "validation")
    loss = {name: scores(rows)["loss"] for name, rows in found["all folds"].items()}
    best = chosen(loss, dict(zip(cost.index, cost["ms_per_clip"], strict=True)))
    print(f"chosen on validation people: {best}", flush=True)
    tested = {name: variants[name] for name in dict.fromkeys([BASE, best, *[STOCK] * (STOCK in variants)])}
    found["test"] = ask(tested, [table], "test")

    rows = [
        {"name": name, "kind": "variant", "people": people, **scores(answered, held[BASE]), **cost.loc[name]}
        for people, held in found.items()
        for name, answered in held.items()
    ]
    if STOCK not in variants:
        rows.append({"name": STOCK, "kind": "variant", "people": "none", **cost.loc[STOCK]})
    made = pd.DataFrame(rows + list(tqdm(system_rows(experiment, store), "systems", len(SYSTEMS))))
    made = made.astype({"n": "Int64", "parameters": int}).assign(chosen=made["name"] == best)
    made = made.assign(chance=CHANCE, profile=options.profile, data="rendered: sample", split=experiment.split)
    made = made.assign(folds=options.folds, seeds=options.seeds, segments_per_clip=segments, crops=store.key, **about)
    print(made.iloc[:, :14].round(3).to_string())
    with caching.atomic_file(options.to) as file:
        made.round(4).to_csv(file, index=False)


if __name__ == "__main__":
    main()
