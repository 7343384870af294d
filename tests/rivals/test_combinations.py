"""Late fusion: the formula by hand, order and labels checked, and the choice made by the rule that is stated."""

import numpy as np
import pandas as pd
import pytest

from microx_utils import evaluation
from microx_utils.components import COMPONENTS
from microx_utils.evaluation import PROBABILITIES
from microx_utils.labels import EMOTIONS
from microx_utils.rivals import combinations

LABELS = ["neutral", "anger", "happy", "sad"]


def table(rows: list[dict[str, float]]) -> pd.DataFrame:
    """Predictions of the segments g0, g1 ... with the given probabilities; what is left goes to the other emotions."""
    values = np.empty((len(rows), len(EMOTIONS)))
    for value, row in zip(values, rows, strict=True):
        value[:] = (1 - sum(row.values())) / (len(EMOTIONS) - len(row))
        value[[EMOTIONS.index(emotion) for emotion in row]] = list(row.values())
    described = pd.DataFrame(
        {
            "segment_id": [f"g{i}" for i in range(len(rows))],
            "clip_id": [f"c{i}" for i in range(len(rows))],
            "subject": [f"s{i % 2}" for i in range(len(rows))],
            "emotion": LABELS[: len(rows)],
            "split": "validation",
        }
    )
    return described.join(pd.DataFrame(values, columns=list(PROBABILITIES)))


def random_tables(seed: int, *names: str, n: int = 4) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    tables = {}
    for name in names:
        tables[name] = table([{}] * n)
        tables[name][list(PROBABILITIES)] = rng.dirichlet(np.ones(7), n)
    return tables


def test_fusion_is_the_geometric_mean_made_to_add_up_to_one() -> None:
    a, b = random_tables(0, "nose", "mouth").values()
    fused = combinations.fuse([a, b])
    expected = np.sqrt(a[list(PROBABILITIES)].to_numpy() * b[list(PROBABILITIES)].to_numpy())
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fused[list(PROBABILITIES)], expected)
    evaluation.check_predictions(fused)


def test_one_table_stays_as_it_is_and_nothing_is_changed_in_place() -> None:
    given = random_tables(1, "mouth")["mouth"]
    before = given.copy()
    pd.testing.assert_frame_equal(combinations.fuse([given]), given)
    combinations.fuse([given, random_tables(2, "nose")["nose"]])
    pd.testing.assert_frame_equal(given, before)


def test_rows_are_joined_by_segment_not_by_place() -> None:
    a, b = random_tables(3, "nose", "mouth").values()
    turned = b.iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(combinations.fuse([a, turned]), combinations.fuse([a, b]))


def test_a_zero_does_not_overrule_the_others() -> None:
    sure = {"anger": 0.9, "neutral": 0.1 - 6e-9}
    never = table([{"neutral": 0.0, "anger": 1.0}])
    never.loc[0, list(PROBABILITIES)] = [0.0, 1.0, 0, 0, 0, 0, 0]
    fused = combinations.fuse([never, table([sure])])
    assert np.isfinite(fused[list(PROBABILITIES)].to_numpy()).all()
    assert (fused["p_neutral"] > 0).all()
    assert evaluation.predicted(fused).tolist() == ["anger"]


def test_other_segments_or_labels_are_refused() -> None:
    a, b = random_tables(4, "nose", "mouth").values()
    with pytest.raises(ValueError, match="different segments"):
        combinations.fuse([a, b.iloc[1:]])
    with pytest.raises(ValueError, match="different segments"):
        combinations.fuse([a.iloc[1:], b])
    with pytest.raises(ValueError, match="different emotions"):
        combinations.fuse([a, b.assign(emotion=LABELS[::-1])])
    with pytest.raises(ValueError, match="no predictions table"):
        combinations.fuse([])


def test_every_combination_is_listed_and_scored_as_its_fusion() -> None:
    tables = random_tables(5, *COMPONENTS)
    hits = combinations.right_answers(tables)
    assert hits.shape == (4, 127)
    assert hits.columns.is_unique
    assert set(hits.dtypes) == {np.dtype(bool)}
    for name in ("nose", "left_eye+mouth", "+".join(COMPONENTS)):
        fused = combinations.fuse([tables[part] for part in name.split("+")])
        assert hits[name].mean() == evaluation.summary(fused)["accuracy"]


def test_two_weak_tables_can_be_right_together() -> None:
    brow = table([{"neutral": 0.4, "sad": 0.5}])  # each is wrong, neutral is what they have in common
    mouth = table([{"neutral": 0.4, "happy": 0.5}])
    hits = combinations.right_answers({"left_eyebrow": brow, "mouth": mouth})
    assert hits.iloc[0].to_dict() == {"left_eyebrow": False, "mouth": False, "left_eyebrow+mouth": True}


def test_the_best_is_the_most_accurate_then_the_smallest_of_what_is_available() -> None:
    scores = pd.Series({"nose": 0.3, "mouth": 0.5, "left_eye": 0.4, "nose+mouth": 0.6, "nose+mouth+left_eye": 0.6})
    assert combinations.best(scores) == "nose+mouth"
    assert combinations.best(scores, available=("mouth", "left_eye")) == "mouth"
    assert combinations.best(scores, available=("nose", "left_eye")) == "left_eye"
    with pytest.raises(ValueError, match="no combination is made of"):
        combinations.best(scores, available=("right_eye",))
