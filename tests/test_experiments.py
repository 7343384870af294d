"""Profiles and experiments: strict reading of their tables."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from microx_utils import experiments, models, training
from microx_utils.components import PAPER_COMPONENTS
from microx_utils.experiments import (
    LIMITS,
    PROFILES,
    get_profile,
    load_experiment,
    parse_profile,
)
from microx_utils.support.errors import DataError


def test_three_profiles_smallest_first() -> None:
    assert PROFILES == ("smoke", "class", "paper")
    sizes = [get_profile(name).filters * get_profile(name).crop_size for name in PROFILES]
    assert sizes == sorted(sizes)


def test_paper_profile_is_the_published_protocol() -> None:
    paper = get_profile("paper")
    assert (paper.crop_size, paper.filters, paper.dense, paper.batch_size) == (60, 64, 256, 8)
    assert (paper.optimizer, paper.learning_rate, paper.pixels) == ("sgd", 0.001, "raw")
    assert (paper.epochs, paper.runs, paper.max_segments) == (120, 4, 4)
    assert paper.subjects is None
    assert paper.gates == "hard_sigmoid"
    assert paper.epochs * (paper.epoch_steps or 0) == 52_800


def test_fields_that_came_later_leave_older_keys_alone() -> None:
    """With their old values they are not part of a key, so that runs cached before they came are found."""
    old = load_experiment("table1_microx", get_profile("class"))
    assert set(old.settings()) == set(asdict(old)) - {"gates", "epoch_steps", "pool"}
    new = load_experiment("table1_microx", get_profile("paper")).settings()
    assert (new["gates"], new["epoch_steps"]) == ("hard_sigmoid", 440)


def test_unknown_profile_lists_the_choices() -> None:
    with pytest.raises(ValueError, match=r"'large'.*smoke.*class.*paper"):
        get_profile("large")


def row(**changes: Any) -> dict[str, Any]:
    """The class profile as it stands in the file, with changes."""
    values = asdict(get_profile("class"))
    values.pop("name")
    values |= {key: values[key] or 0 for key in LIMITS}
    return values | changes


def test_row_of_the_class_profile_parses_back() -> None:
    assert parse_profile("class", row()) == get_profile("class")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flavour": 1}, "unknown keys .*flavour"),
        ({"model": "large"}, "model is 'large'; choose from"),
        ({"filters": 0}, "filters is 0; give a whole number of at least 1"),
        ({"filters": 1.5}, "filters is 1.5"),
        ({"subjects": -1}, "subjects is -1"),
        ({"epochs": 30, "runs": 4}, "30 epochs don't divide into 4"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"learning_rate": float("inf")}, "learning_rate is inf; give a number above 0, such as 0.001"),
        ({"learning_rate": [0.1]}, r"learning_rate is \[0.1\]"),
        ({"bootstrap": True}, "bootstrap is True"),
    ],
)
def test_bad_row_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_profile("broken", row(**changes))


def test_missing_key_is_refused() -> None:
    short = row()
    del short["stride"]
    with pytest.raises(ValueError, match=r"missing keys .*stride"):
        parse_profile("broken", short)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", experiments.read_experiments())
def test_experiments_load_at_every_profile(name: str, profile: str) -> None:
    experiment = load_experiment(name, get_profile(profile), seed=3)
    assert (experiment.name, experiment.seed) == (name, 3)
    assert experiment.crop_size == get_profile(profile).crop_size
    assert experiment.split == ("segment" if name.endswith("segment_split") else "subject")


def test_every_experiment_says_what_it_is() -> None:
    for name, row in experiments.read_experiments().items():
        assert len(row["about"]) > 10, name
    assert load_experiment("table1_microx", get_profile("class")).components == PAPER_COMPONENTS


def test_the_paper_profile_is_the_papers_network() -> None:
    network = models.shapes_only(training.build, load_experiment("table1_microx", get_profile("paper")))
    assert network.count_params() == 276_362_527


def test_unknown_experiment_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown experiment 'table9'.*table1_microx"):
        load_experiment("table9", get_profile("class"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"components": ["nose"], "colur": "grey"}, r"unknown keys \['colur'\]; choose from .*'colour'"),
        ({"components": ["nose"], "name": "other"}, "unknown keys"),
        ({"components": ["nose"], "colour": "blue"}, r"colour is 'blue'; choose from \('rgb', 'grey', 'grey_three'\)"),
        ({"components": ["chin"]}, r"unknown components \['chin'\]"),
        ({"components": []}, "one or more"),
        ({"components": ["nose"], "split": "random"}, "choose from"),
        ({"components": ["nose"], "batch_size": 0}, "batch_size is 0"),
        ({"components": ["nose"], "gates": "soft"}, "gates is 'soft'; choose from"),
        ({"components": ["nose"], "epoch_steps": -1}, "epoch_steps is -1"),
        ({"components": ["nose"], "max_segments": -1}, "max_segments is -1; give a whole number of at least 0"),
        ({"components": ["nose"], "learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"components": ["nose"], "epochs": 2, "runs": 3}, "2 epochs can't be split over 3 runs"),
        ({"components": ["nose"], "learning_rate": float("inf")}, "learning_rate is inf"),
        ({"components": ["nose"], "learning_rate": float("nan")}, "learning_rate is nan"),
        ({"components": ["nose"], "learning_rate": [0.1]}, r"learning_rate is \[0.1\]"),
        ({"components": ["nose"], "learning_rate": "fast"}, "learning_rate is 'fast'"),
        ({"components": ["nose"], "min_available": 1.5}, "min_available is 1.5; give a number from 0 to 1"),
        ({"components": ["nose"], "min_available": float("nan")}, "min_available is nan"),
        ({"components": ["nose"], "min_available": [1]}, r"min_available is \[1\]"),
        ({"components": ["nose"], "augment": "yes"}, "augment is 'yes'; give true or false"),
        ({"components": ["nose"], "split": ["subject"]}, r"split is \['subject'\]; choose from"),
        ({"components": "nose"}, "components is 'nose'; give a list of names"),
        ({"components": [["nose"]]}, "give a list of names"),
        ({"components": 5}, "components is 5; give a list of names"),
    ],
)
def test_bad_rows_are_refused(row: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        experiments.parse_experiment("mine", row, get_profile("smoke"), seed=0)


@pytest.mark.parametrize("name", ["x" * 300, "a/b", ""])
def test_a_name_that_no_folder_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"name is .*; give one that a folder can have"):
        experiments.parse_experiment(name, {"components": ["nose"]}, get_profile("smoke"), seed=0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[mine]\ncomponents = ['nose']\nlearning_rate = inf\n", "experiment 'mine': learning_rate is inf"),
        ("[mine]\ncomponents = [", "Invalid value"),
        ("[mine]\nabout = '\udcff'\n", "can't decode byte 0xff"),
    ],
)
def test_a_fault_in_a_file_is_blamed_on_the_file(
    text: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "experiments.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    monkeypatch.setattr(experiments, "EXPERIMENTS_FILE", file)
    with pytest.raises(DataError, match=problem) as refused:
        load_experiment("mine", get_profile("smoke"))
    assert refused.value.path == file
    with pytest.raises(DataError, match=r"profile 'mine': missing keys|Invalid value|can't decode"):
        experiments.read_profiles(file)
