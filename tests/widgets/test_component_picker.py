"""The component picker: what is compared for which ticks, and what is said of it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_run import tiny

from microx_utils.components import COMPONENTS, PAPER_COMPONENTS
from microx_utils.course.scores import difference_table
from microx_utils.evaluation import summary
from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.rivals.combinations import fuse
from microx_utils.training import Run
from microx_utils.widgets.component_picker import (
    FUSED,
    PAPER,
    TRAINED,
    compared,
    comparison,
    component_picker,
    interval_strip,
    scores_html,
)
from microx_utils.widgets.live import Live


def run_of(components: tuple[str, ...], *, right: float, seed: int) -> Run:
    """Predictions of 12 people, seven segments each, about so many of them right."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(84):
        shares = rng.dirichlet(np.ones(7))
        truth = k % 7
        if rng.random() < right:
            shares[truth] += 1
        ids = {"segment_id": f"g{k}", "clip_id": f"c{k}", "subject": f"s{k // 7}", "emotion": EMOTIONS[truth]}
        rows.append({**ids, "split": "test", **dict(zip(PROBABILITIES, shares / shares.sum(), strict=True))})
    return Run(tiny(components=components), "key", Path(), pd.DataFrame(), pd.DataFrame(rows), {})


@pytest.fixture(scope="module")
def alone() -> dict[str, Run]:
    return {name: run_of((name,), right=0.3 + 0.05 * k, seed=k) for k, name in enumerate(COMPONENTS)}


@pytest.fixture(scope="module")
def together() -> list[Run]:
    return [run_of(PAPER_COMPONENTS, right=0.5, seed=10), run_of(COMPONENTS, right=0.6, seed=11)]


@pytest.fixture(scope="module")
def picker(alone: dict[str, Run], together: list[Run]) -> Live:
    return component_picker(alone, together, data="rendered & sample", samples=40)


def tables(alone: dict[str, Run], together: list[Run]) -> tuple[dict, dict]:
    singles = {name: run.predictions for name, run in alone.items()}
    return singles, {frozenset(run.experiment.components): run.predictions for run in together}


def test_any_ticks_are_fused_and_a_network_trained_on_them_is_added(alone: dict[str, Run], together: list[Run]) -> None:
    singles, joint = tables(alone, together)
    found = compared(singles, joint, ["nose", "mouth"])
    assert list(found) == [FUSED, PAPER]
    pd.testing.assert_frame_equal(found[FUSED], fuse([singles["nose"], singles["mouth"]]))
    assert list(compared(singles, joint, list(COMPONENTS))) == [FUSED, TRAINED, PAPER]
    assert list(compared(singles, joint, list(PAPER_COMPONENTS))) == [FUSED, PAPER]  # not the five against themselves


def test_the_difference_is_to_the_papers_five_on_the_same_people(alone: dict[str, Run], together: list[Run]) -> None:
    singles, joint = tables(alone, together)
    found = comparison(compared(singles, joint, ["mouth"]), samples=40, seed=3)
    wanted = difference_table({"x": (singles["mouth"], together[0].predictions)}, samples=40, seed=3).loc["x"]
    assert found.loc[FUSED, "difference"] == pytest.approx(wanted["difference"])
    assert found.loc[FUSED, "difference_low"] == pytest.approx(wanted["low"])
    assert found.loc[FUSED, "accuracy"] == summary(singles["mouth"])["accuracy"]
    assert found["difference"].isna().tolist() == [False, True]


def test_what_is_shown_says_data_split_n_chance_and_interval(picker: Live) -> None:
    shown = picker.views["scores"].value
    assert "rendered &amp; sample, subject split, n = 84 segments of 84 clips, 12 subjects; chance 14.3 %" in shown
    assert "Intervals: 95 %" in shown and "One seed (0)" in shown
    assert "the reference" in shown and " points (" in shown


def test_ticks_change_the_scores_and_none_is_said(picker: Live) -> None:
    before = picker.views["scores"].value, picker.views["confusion"].value
    picker.controls["mouth"].value = False
    assert picker.views["scores"].value != before[0]
    assert picker.views["confusion"].value != before[1]
    picker.set(**dict.fromkeys(COMPONENTS, False))
    assert "Tick one component or more." in picker.views["scores"].value
    picker.set(**{name: name in PAPER_COMPONENTS for name in COMPONENTS})
    assert (picker.views["scores"].value, picker.views["confusion"].value) == before


def test_runs_that_cannot_be_compared_are_refused(alone: dict[str, Run], together: list[Run]) -> None:
    with pytest.raises(ValueError, match="no run has the components"):
        component_picker(alone, together[1:], data="x", samples=5)
    other = run_of(PAPER_COMPONENTS, right=0.5, seed=1)
    other.predictions["segment_id"] += "x"
    with pytest.raises(ValueError, match="different segments"):
        component_picker(alone, [other], data="x", samples=5)


def test_the_strip_is_where_the_numbers_are() -> None:
    strip = interval_strip(0.5, 0.4, 0.65)
    assert "left:40.0%;width:25.0%" in strip and "calc(50.0% - 0.35em)" in strip and "left:14.3%" in strip


def test_one_person_has_no_interval() -> None:
    row = {"accuracy": 0.5, "low": np.nan, "high": np.nan, "verdict": "not settled"}
    row |= {"difference": 0.25, "difference_low": np.nan, "difference_high": np.nan}
    shown = str(scores_html(pd.DataFrame([row], index=["mouth"]), "one person"))
    assert "50.0% (no interval)" in shown and "+25.0 points (no interval): not settled" in shown
    assert "left:50.0%;width:0.0%" in shown and "nan" not in shown


def test_names_and_notes_are_escaped() -> None:
    row = {"accuracy": 0.5, "low": 0.4, "high": 0.6, "difference": np.nan, "verdict": np.nan}
    shown = scores_html(pd.DataFrame([row], index=["<i>"]), "<about>")
    assert "<i>" not in shown and "&lt;i&gt;" in shown and "&lt;about&gt;" in shown
