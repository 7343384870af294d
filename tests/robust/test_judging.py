"""The robust model beside others: what a mask costs, and how well it is told."""

import numpy as np
import pandas as pd
import pytest

from microx_utils.components import COMPONENTS
from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.robust.judging import mask_costs, told_apart


def answers(right: np.ndarray) -> pd.DataFrame:
    """Predictions of people (rows) whose clips (columns) are answered rightly or not."""
    people, clips = right.shape
    person, clip = (each.ravel() for each in np.meshgrid(range(people), range(clips), indexing="ij"))
    true = clip % len(EMOTIONS)
    said = np.where(right.ravel(), true, (true + 1) % len(EMOTIONS))
    names = [f"p{p}_{c}" for p, c in zip(person, clip, strict=True)]
    table = pd.DataFrame({"segment_id": names, "clip_id": names, "subject": [f"p{p}" for p in person]})
    table["emotion"], table["split"] = [EMOTIONS[k] for k in true], "test"
    return table.join(pd.DataFrame(np.eye(len(EMOTIONS))[said], columns=list(PROBABILITIES)))


def shares(*wanted: float, people: int = 10, clips: int = 20) -> list[pd.DataFrame]:
    return [answers(np.tile(np.arange(clips) < share * clips, (people, 1))) for share in wanted]


def test_costs_are_differences_and_savings_differences_of_these() -> None:
    plain, mask, other_plain, other_mask = shares(0.8, 0.7, 0.5, 0.2)
    pairs = {"robust": (plain, mask), "published": (other_plain, other_mask)}
    table = mask_costs(pairs, reference="published", samples=200, seed=0)
    assert table["cost"].tolist() == pytest.approx([0.1, 0.3])
    assert table[["saved", "saved_low", "saved_high"]].to_numpy()[0] == pytest.approx([0.2] * 3)
    assert table["share"].tolist() == pytest.approx([1 / 3, 1])
    first = [rows[rows["subject"] == "p0"] for pair in pairs.values() for rows in pair]
    alone = {"robust": (first[0], first[1]), "published": (first[2], first[3])}
    assert mask_costs(alone, reference="published", samples=20, seed=0)["saved_low"].isna().all()


def test_no_share_of_a_cost_that_is_none() -> None:
    plain, mask = shares(0.5, 0.5)
    assert mask_costs({"a": (plain, mask)}, reference="a", samples=20, seed=0)["share"].isna().all()


def test_an_interval_of_savings_covers_what_varies_between_people() -> None:
    rng = np.random.default_rng(0)
    plain, mask, other_plain, other_mask = (answers(rng.random((12, 14)) < share) for share in (0.7, 0.6, 0.6, 0.3))
    pairs = {"a": (plain, mask), "b": (other_plain, other_mask)}
    row = mask_costs(pairs, reference="b", samples=2000, seed=0).loc["a"]
    assert row["saved_low"] < row["saved"] < row["saved_high"] and row["saved_high"] - row["saved_low"] > 0.1


def test_a_detector_is_told_from_a_guess() -> None:
    masked = pd.Series([False, True] * 20)
    values = np.full((40, 7), 0.9)
    values[1::2, COMPONENTS.index("mouth")] = 0.1
    table = told_apart(pd.DataFrame(values, columns=list(COMPONENTS)), masked)
    assert table.to_numpy()[COMPONENTS.index("mouth")] == pytest.approx([0.9, 0.1, 1.0])
    assert table.loc["nose", "auc"] == 0.5
