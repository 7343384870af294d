"""The reference runs that ship: complete, of the paper's settings, and named so that each can be traced."""

import pytest

from microx_utils.course.reference import FOLDER, read_reference_run
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
