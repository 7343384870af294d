"""The reference runs that ship: complete, of the paper's settings, and named so that each can be traced."""

from pathlib import Path

import numpy as np
import pytest

from microx_utils.course.reference import (
    FOLDER,
    read_accuracy_cost,
    read_reference_run,
    read_short_epochs,
    reference_scores,
    reference_table,
)
from microx_utils.evaluation import summary
from microx_utils.experiments import get_profile
from microx_utils.support.errors import DataError

NAMES = sorted(place.parent.name for place in FOLDER.glob("*/settings.json"))


def test_tables_1_and_5_are_there() -> None:
    assert {"table1_microx", "table1_microx_segment_split", "table5_microx", "table5_whole_frame"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_can_be_named_and_has_the_papers_settings(name: str) -> None:
    run, paper = read_reference_run(name), get_profile("paper")
    experiment = run.settings["experiment"]
    assert len(run.settings["commit"]) == 40 and run.settings["device"] and run.settings["store"]
    for field in ("crop_size", "filters", "dense", "optimizer", "learning_rate", "gates", "batch_size", "epoch_steps"):
        assert experiment[field] == getattr(paper, field), field
    assert experiment["pixels"] == ("scaled" if name.endswith("scaled") else paper.pixels)
    assert run.history["steps"].iloc[-1] == run.settings["steps"] == 440 * len(run.history)
    best = int(run.history["val_loss"].to_numpy().argmin())
    assert run.settings["timings"]["best_epoch"] == best + 1
    validation = run.predictions[run.predictions["split"] == "validation"]
    assert summary(validation)["accuracy"] == pytest.approx(run.history["val_accuracy"].iloc[best], abs=1e-4)
    assert "rendered sample" in run.label and "H100" in run.label


def test_an_unknown_run_lists_the_known() -> None:
    with pytest.raises(DataError, match="table1_microx"):
        read_reference_run("table9")


def test_scores_say_what_qualifies_them() -> None:
    runs = {name: read_reference_run(name) for name in ("table1_microx", "table5_whole_frame")}
    table = reference_scores(runs, samples=50, seed=0)
    assert table["split"].to_list() == ["subject", "subject"]
    assert table["steps"].to_list() == [run.settings["steps"] for run in runs.values()]
    assert (table["n"] == [run.settings["timings"]["segments"]["test"] for run in runs.values()]).all()
    assert (table["low"] <= table["accuracy"]).all() and (table["accuracy"] <= table["high"]).all()
    alone = table.loc["table5_whole_frame"]
    assert alone["answers"] == 1 and alone["UAR"] == pytest.approx(alone["chance"])
    assert alone["accuracy"] == pytest.approx(alone["largest"])  # it always gives the most frequent class
    assert table["answers"].to_dict()["table1_microx"] > 1
    shown = reference_table({"whole frame": "table5_whole_frame"}, samples=50, seed=0).to_html()
    assert "published network on the rendered sample, NVIDIA H100" in shown and f"{alone['accuracy']:.3f}" in shown


def test_trials_with_short_epochs_passed_once_over_the_data() -> None:
    trials, segments = read_short_epochs(), read_reference_run("table1_microx").settings["timings"]["segments"]
    assert set(trials["run"]) >= {"table1_microx", "table5_whole_frame_segment_split", "mouth_scaled"}
    for name, rows in trials.groupby("run"):
        epochs, steps = rows["epoch"].to_numpy(), rows["steps"].to_numpy()
        assert epochs.tolist() == list(range(1, len(rows) + 1))
        (per_epoch,) = set(steps / epochs)
        assert per_epoch == (segments["train"] // 8 if rows["split"].iloc[0] == "subject" else 127), name
        hits = rows["accuracy"].to_numpy() * 8 * per_epoch
        assert np.abs(hits - hits.round()).max() < 0.01  # whole segments: the steps are not misstated


def test_every_accuracy_beside_a_cost_says_what_it_is_of() -> None:
    table = read_accuracy_cost()
    said = ["chance", "data", "split", "folds", "seeds", "machine", "commit", "parameters", "ms_per_clip"]
    assert table[said].notna().all(axis=None)
    assert not table["commit"].str.endswith("+").any()  # made by a commit, not by something near it
    scored = table[table["people"] != "none"]
    assert ((scored["low"] <= scored["accuracy"]) & (scored["accuracy"] <= scored["high"])).all()
    assert (scored.groupby("people")["n"].nunique() == 1).all()
    assert table.loc[table["chosen"], "name"].nunique() == 1
    tested = set(table.query("people == 'test' and kind == 'variant'")["name"])
    assert tested <= {"profile", "published design", *table.loc[table["chosen"], "name"]}
    dearest = table.loc[table["name"] == "published design", "ms_per_clip"].max()
    assert table.loc[table["chosen"], "ms_per_clip"].max() <= dearest / 10


def test_without_its_table_the_benchmark_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"accuracy_cost\.csv: is missing. Make it: python benchmarks/accuracy_cost\.py"
    ):
        read_accuracy_cost(tmp_path / "accuracy_cost.csv")
