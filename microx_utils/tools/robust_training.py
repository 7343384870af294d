"""`microx train robust`: fit the robust model, score it on people it has not seen, and keep its weights."""

import argparse
import json
import math
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microx_utils.support import paths
from microx_utils.support.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_WEIGHTS = ("design.json", "frame.weights.h5", "span.weights.h5")
_RENDERED = (
    "it was trained on rendered people alone. Of real faces it knows nothing but what those share with a drawing; "
)
_LIMITS = "an expression is not a feeling; decide nothing about anybody by it."


def add_robust_arguments(parser: argparse.ArgumentParser) -> None:
    """Add to `microx train` what only the robust model needs."""
    text = "robust: weights to go on from, shipped or a folder (default: none)"
    parser.add_argument("--from", dest="start", metavar="FOLDER", help=text)
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="robust: where its weights and their card are kept")


def wrong_for_robust(arguments: argparse.Namespace) -> str:
    """Return which of `microx train`'s arguments don't go together, or ""."""
    if "robust" not in arguments.rows:
        return "--from and --to are for `microx train robust`" if arguments.start or arguments.to else ""
    if len(arguments.rows) > 1 or arguments.backend or arguments.scheduler or arguments.seeds > 1:
        return "robust is trained alone and once: no --backend, --scheduler, --seeds"
    return ""


def train_robust(arguments: argparse.Namespace) -> int:
    """Fit, score and keep the weights with their card, in --to."""
    from microx_utils.apply.answers import SHIPPED, read_card
    from microx_utils.course import records, stages
    from microx_utils.course.scores import interval_words
    from microx_utils.experiments import get_profile, load_experiment
    from microx_utils.robust.learning import fit, read_recipe
    from microx_utils.robust.units import store_units
    from microx_utils.support.cache import atomic_folder  # imports NumPy

    folder = Path(arguments.to or paths.PROCESSED / "robust" / "trained")
    _check_target(folder)
    profile = get_profile(arguments.profile)
    experiment = load_experiment("table1_microx", profile, seed=arguments.seed)
    store = stages.crops_of(arguments.data, profile, style="aligned")
    units = store_units(store, records.truth_folder(arguments.data))
    start = before = None
    if arguments.start:
        start = SHIPPED if arguments.start == "shipped" else Path(arguments.start)
        before = read_card(start)["made"]
        if before["data"] == records.data_name(arguments.data) and before["seed"] != arguments.seed:
            problem = f"was trained on these data with seed {before['seed']}, on people whom another seed would test"
            raise DataError(start, problem, f"Give --seed {before['seed']}.")
    fitted = fit(experiment, store, read_recipe(profile.name), units=units, start=start)
    with atomic_folder(folder) as made:
        for name in _WEIGHTS:
            shutil.copy(fitted.folder / name, made / name)
        card = make_card(fitted, experiment, store, arguments, before)
        (made / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    for score in card["scores"]:
        between = interval_words(score["low"], score["high"])
        print("{test}: accuracy {accuracy:.1%} ({between}), UAR {uar:.1%}, {n} {unit}".format(between=between, **score))
    print(f"Weights and card: {paths.short(folder)}. Use them: microx predict --weights {paths.short(folder)} VIDEO")
    return 0


def make_card(
    fitted: Any, experiment: Any, store: Any, arguments: argparse.Namespace, before: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return what was trained how, and what it scores on test people and on takes without and with a mask.

    `before` says how the weights were made that the training went on from.
    """
    from microx_utils.batches import segment_table, split_table
    from microx_utils.course import records, stages
    from microx_utils.experiments import get_profile
    from microx_utils.robust.predicting import clip_spans, predict_spans
    from microx_utils.tools.measure import commit
    from microx_utils.tools.own_recordings import pair_takes

    train = split_table(experiment, store).query("split == 'train'")
    data, rendered = records.data_name(arguments.data), records.is_rendered(arguments.data)
    stores, tested = {data: store}, {}
    if rendered and data != "sample":  # the sample then is of other people
        stores["sample"] = stages.crops_of("sample", get_profile(arguments.profile), style="aligned")
    for name, each in stores.items():  # the last one's test clips are named on the card
        test = split_table(experiment, each).query("split == 'test'")
        tested[f"{name}, test people of the subject split"] = predict_spans(fitted, each, clip_spans(test, each))
    own = stages.crops_of("sample", get_profile(arguments.profile), own=True, style="aligned")
    takes = predict_spans(fitted, own, clip_spans(segment_table(experiment, own), own))
    for name, rows in zip(("without a mask", "with a mask"), pair_takes(takes), strict=True):
        tested[f"sample, own recordings, {name}"] = rows
    made = {
        "command": f"microx train robust --data {arguments.data} --profile {arguments.profile} --seed {arguments.seed}"
        + (f" --from {arguments.start}" if arguments.start else ""),
        "seed": arguments.seed,
        "commit": commit(digits=40),
        "date": datetime.now(UTC).date().isoformat(),
        "data": data,
        "clips": int(train["clip_id"].nunique()),
        "people": int(train["subject"].nunique()),
        "test_clips": sorted(test["clip_id"].unique()),
        "seconds": round(fitted.facts["seconds_training"]),
        "machine": records.machine(),
    }
    if before:
        made["start"] = {name: before[name] for name in ("command", "commit", "date", "data", "clips", "people")}
    scores = [_score(name, rows) for name, rows in tested.items()]
    limits = _RENDERED + _LIMITS if rendered else _LIMITS
    return {"limits": limits, "parameters": fitted.facts["parameters"], "made": made, "scores": scores}


def _check_target(folder: Path) -> None:
    """Raise DataError for a folder that holds anything but weights and a card: it will be replaced."""
    names = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    if strange := sorted(names - {*_WEIGHTS, "card.json", ".sums.json"}):
        raise DataError(folder, f"holds other files, such as {strange[0]}", "Name a new folder: it would be replaced.")


def _score(name: str, rows: "pd.DataFrame") -> dict[str, Any]:
    from microx_utils.evaluation import bootstrap_interval, summary

    found = summary(rows)
    low, high = bootstrap_interval(rows, samples=2000, seed=0)
    numbers = {"accuracy": found["accuracy"], "low": low, "high": high, "uar": found["uar"], "chance": found["chance"]}
    rounded = {key: None if math.isnan(value) else round(value, 4) for key, value in numbers.items()}
    return {"test": name, "unit": "clips", "n": len(rows), "people": int(found["n_subjects"]), **rounded}
