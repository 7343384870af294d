"""Claims: declared once, qualified when they are scores, and judged by the kind of data they were measured on."""

from typing import Any

import pytest

from microx_utils.course import paper
from microx_utils.course.audits import AUDITS, Audit
from microx_utils.course.claims import (
    ADOPTED,
    CONSISTENT,
    CONTRADICTED,
    DIFFERS,
    NOT_ADOPTED,
    REPRODUCED,
    UNSETTLED,
    UNTESTABLE,
    audit,
    claim_row,
    get_claim,
    load_claims,
    verdict,
)

SCORE: dict[str, Any] = {"interval": (0.5, 0.6), "n": 731, "chance": 1 / 7, "split": "subject"}


def test_every_audit_has_its_claim_and_the_reverse() -> None:
    assert {name for name, claim in load_claims().items() if claim.kind == "audit"} == set(AUDITS)


@pytest.mark.parametrize(
    ("name", "expected", "stated", "found"),
    [
        ("figure_03_test_share", CONSISTENT, 731, 732),
        ("crop_size_stated_twice", CONTRADICTED, [30, 30], [60, 60]),
        ("blocks_against_inputs", CONTRADICTED, 6, 5),
        ("early_stopping_quantity", CONTRADICTED, "validation loss", "validation accuracy"),
        ("figure_10_diagonal", CONTRADICTED, 0.552, 0.4336),
        ("figure_10_rows_peak_on_diagonal", CONTRADICTED, 7, 3),
        ("figures_11_to_14_accuracy", CONSISTENT, 0.552, 0.5527),
        ("images_of_a_segment", CONSISTENT, 40, 40),
        ("shortest_clip_stated_twice", CONTRADICTED, 20, 10),
        ("seven_classes_after_joining", CONSISTENT, 7, 7),
        ("test_set_is_representative", CONSISTENT, "as by a random draw", "as by a random draw"),
        ("dropout_after_every_dense_layer", CONSISTENT, 1, 1),
        ("epochs_of_the_runs", CONSISTENT, 120, 120),
        ("stopped_before_the_last_epoch", CONTRADICTED, 107, 120),
        ("figures_07_and_08_trends", CONSISTENT, 4, 4),
        ("table_1_scores_alike", CONSISTENT, 0.534, 0.526),
        ("one_accuracy_in_all_tables", CONSISTENT, [0.552], [0.552]),
        ("figure_10_is_conditional", CONTRADICTED, 7, 0),
        ("figure_10_columns_peak_on_diagonal", CONSISTENT, 7, 7),
        ("figure_10_darkest_on_diagonal", CONSISTENT, 4, 4),
        ("figures_11_to_14_one_total", CONSISTENT, [731], [731]),
        ("false_negatives_corner", CONTRADICTED, "bottom right", "bottom left"),
        ("predicted_well_by_recall", CONTRADICTED, ["happy", "neutral"], ["fear", "happy"]),
        ("table_2_same_data", CONTRADICTED, ["BAUM-1", "BAUM-2"], ["BAUM-1"]),
        ("table_3_unmasked_below_chance", CONTRADICTED, 0.1429, 0.102),
        ("figure_15_seven_panels", CONTRADICTED, 7, 6),
        ("table_5_parts_below_single_parts", CONTRADICTED, 0.398, 0.231),
    ],
)
def test_audits_of_the_paper_against_itself(name: str, expected: str, stated: Any, found: Any) -> None:
    row = claim_row(name, rendered=True, data="sample")
    assert (row["verdict"], row["paper"], row["ours"]) == (expected, stated, found)
    assert row["data"] == "none needed"


def test_audit_tolerance() -> None:
    assert Audit(0.552, 0.5527, tolerance=0.001).holds
    assert not Audit(0.552, 0.5541, tolerance=0.001).holds
    assert not Audit([30, 30], [60, 60], tolerance=99).holds


def test_audit_that_asks_for_at_least() -> None:
    assert Audit(5008, 6000, at_least=True).holds
    assert Audit(5008, 4940, tolerance=70, at_least=True).holds
    assert not Audit(5008, 3660, tolerance=70, at_least=True).holds


def test_audit_takes_no_value_of_ours() -> None:
    with pytest.raises(ValueError, match="both its values come from"):
        claim_row("figure_10_diagonal", 0.43, rendered=True, data="sample")


@pytest.mark.parametrize(("interval", "expected"), [((0.5, 0.6), REPRODUCED), ((0.6, 0.7), DIFFERS)])
def test_score_on_real_data_is_judged_by_its_interval(interval: tuple[float, float], expected: str) -> None:
    row = claim_row("table_1_accuracy", 0.58, rendered=False, data="BAUM", **(SCORE | {"interval": interval}))
    assert row["verdict"] == expected
    assert row["data"] == "BAUM"


@pytest.mark.parametrize(("rendered", "expected"), [(False, UNSETTLED), (True, UNTESTABLE)])
def test_score_of_one_person_settles_nothing(rendered: bool, expected: str) -> None:
    """Its interval is NaN, with which no number compares: "differs" would be a word without a reason."""
    unknown = SCORE | {"interval": (float("nan"), float("nan"))}
    row = claim_row("table_1_accuracy", 0.58, rendered=rendered, data="small", **unknown)
    assert (row["verdict"], row["interval"], row["n"]) == (expected, None, 731)


def test_score_on_rendered_data_is_shown_and_labelled_but_not_judged() -> None:
    row = claim_row("table_1_accuracy", 0.552, rendered=True, data="sample", **SCORE)
    assert (row["verdict"], row["ours"], row["data"]) == (UNTESTABLE, 0.552, "rendered: sample")
    assert claim_row("figure_09_best_fscore", "happy", rendered=True, data="sample")["verdict"] == UNTESTABLE


@pytest.mark.parametrize("qualifier", SCORE)
def test_score_without_a_qualifier_is_refused(qualifier: str) -> None:
    with pytest.raises(ValueError, match=f"misses .*{qualifier}"):
        claim_row("table_1_accuracy", 0.5, rendered=True, data="sample", **(SCORE | {qualifier: None}))


def test_backward_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="runs backwards"):
        claim_row("table_1_accuracy", 0.5, rendered=True, data="sample", **(SCORE | {"interval": (0.6, 0.5)}))


def test_structure_is_judged_by_equality_on_any_data() -> None:
    count = paper.published_code()["parameters_of_the_network"]
    assert claim_row("network_parameters", count, rendered=True, data="sample")["verdict"] == REPRODUCED
    assert claim_row("network_parameters", count + 1, rendered=True, data="sample")["verdict"] == DIFFERS


def test_a_setting_that_agrees_is_adopted_not_reproduced() -> None:
    assert claim_row("frames_per_segment", 10, rendered=True, data="sample")["verdict"] == ADOPTED
    assert claim_row("frames_per_segment", 20, rendered=True, data="sample")["verdict"] == NOT_ADOPTED


def test_missing_value_and_missing_interval_are_refused() -> None:
    with pytest.raises(ValueError, match="needs our value"):
        claim_row("network_parameters", rendered=True, data="sample")
    with pytest.raises(ValueError, match="give its interval"):
        verdict(get_claim("table_1_accuracy"), 0.5, rendered=False)


def test_unknown_names_list_the_choices() -> None:
    with pytest.raises(ValueError, match=r"choose from .*table_1_accuracy"):
        get_claim("table_9")
    with pytest.raises(ValueError, match=r"choose from .*figure_10_diagonal"):
        audit("table_1_accuracy")
