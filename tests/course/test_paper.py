"""The paper's transcribed numbers, checked against each other where the paper prints them twice."""

import numpy as np
import pytest

from microx_utils.course import paper
from microx_utils.labels import EMOTIONS


def one_vs_rest() -> np.ndarray:
    return np.array([paper.one_vs_rest()[emotion] for emotion in EMOTIONS])  # (7, 2, 2): [[TN, FP], [FN, TP]]


def test_classes_are_the_package_s() -> None:
    assert tuple(paper.value("classes")) == EMOTIONS


def test_every_figure_and_table_is_there() -> None:
    assert [paper.figure(number)["section"] for number in range(1, 18)]
    assert [paper.table(number)["title"] for number in range(1, 7)]


def test_figures_11_to_14_cover_the_same_731_segments() -> None:
    assert (one_vs_rest().sum(axis=(1, 2)) == 731).all()
    assert one_vs_rest()[:, 1, :].sum() == 731  # every segment has one true class
    assert (
        one_vs_rest()[:, 0, 1].sum() == one_vs_rest()[:, 1, 0].sum()
    )  # a miss of one class is a false alarm of another


def test_figure_10_has_the_same_class_counts() -> None:
    counts = np.array(paper.confusion_percent()).sum(axis=1) / 100 * 731
    np.testing.assert_allclose(counts, one_vs_rest()[:, 1, :].sum(axis=1), atol=0.3)


def test_table_1_follows_from_figures_11_to_14() -> None:
    cells = one_vs_rest()
    precision = cells[:, 1, 1] / cells[:, :, 1].sum(axis=1)
    recall = cells[:, 1, 1] / cells[:, 1, :].sum(axis=1)
    fscore = 2 * precision * recall / (precision + recall)
    table = paper.table(1)
    assert precision.mean() == pytest.approx(table["precision"], abs=0.001)
    assert recall.mean() == pytest.approx(table["recall"], abs=0.001)
    assert fscore.mean() == pytest.approx(table["fscore"], abs=0.001)
    read_off = paper.figure(9)["read_off"]
    np.testing.assert_allclose([read_off["precision"][emotion] for emotion in EMOTIONS], precision, atol=0.011)
    np.testing.assert_allclose([read_off["recall"][emotion] for emotion in EMOTIONS], recall, atol=0.011)


def test_parameter_count_follows_from_figure_5() -> None:
    shapes = paper.figure(5)["shapes"]
    channels, filters, classes = shapes["input"][-1], shapes["conv_lstm2d"][-1], shapes["dense_1"][0]
    assert shapes["flatten"] == [int(np.prod(shapes["conv_lstm2d"]))]
    gates = 4 * filters * (9 * (channels + filters) + 1)
    dense = shapes["flatten"][0] * shapes["dense"][0] + shapes["dense"][0]
    block = gates + dense + shapes["dense_1"][0] * (shapes["dense"][0] + 1)
    inputs = len(paper.figure(6)["inputs"])
    assert inputs * block + classes * (inputs * classes + 1) == paper.published_code()["parameters_of_the_network"]


def test_a_changed_copy_does_not_change_the_facts() -> None:
    paper.figure(9)["read_off"]["recall"]["happy"] = 1.0
    assert paper.figure(9)["read_off"]["recall"]["happy"] == 0.72


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("figures", 18), r"figures has no 18; found \['1', '2'"),
        (("tables", 1, "kappa"), r"tables\.1 has no 'kappa'; found .*accuracy"),
        (("tables", 1, "accuracy", "x"), "a plain value"),
        (("figures", 7, "read_off", "train", 2), "has no 2"),
    ],
)
def test_unknown_key_lists_what_there_is(keys: tuple[str | int, ...], message: str) -> None:
    with pytest.raises(KeyError, match=message):
        paper.value(*keys)


def test_reference_of_an_unknown_figure() -> None:
    with pytest.raises(KeyError, match="18"):
        paper.reference("figure_18")
