"""Verdicts: what a check says to right, wrong and missing answers, and how answers are compared."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from microx_utils.checks.verdict import Verdict, WrongAnswer, call, check, compare, right, wrong
from microx_utils.course.exercises import STRICT

MISTAKES: dict[str, Any] = {"upside down": 4.0, "squared": 0.0625}


@check
def quarter(given: Any, *, of: float) -> Verdict:
    return compare(given, of / 4, mistakes=MISTAKES, praise="a quarter of it")


@check
def doubling(function: Any) -> Verdict:
    return compare(call(function, 3), 6, mistakes={"squared": 9}, praise="twice")


def test_right_wrong_and_unanswered() -> None:
    assert quarter(0.25, of=1) == right("a quarter of it")
    assert quarter(4, of=1) == wrong("upside down")
    assert quarter(..., of=1).state == "unanswered"
    assert repr(quarter(4, of=1)) == "Not yet. upside down"


def test_a_mistake_that_gives_the_right_answer_is_none() -> None:
    assert quarter(4.0, of=16).state == "right"


def test_what_is_said_is_text_not_markup() -> None:
    assert "<b>" not in wrong("a <b> c")._repr_html_()
    assert "<strong>Not yet.</strong> a &lt;b&gt; c" in wrong("a <b> c")._repr_html_()


def test_a_strict_run_stops_at_what_is_not_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STRICT, "1")
    assert quarter(0.25, of=1).state == "right"
    with pytest.raises(WrongAnswer, match=r"quarter: Not yet\. upside down"):
        quarter(4, of=1)
    with pytest.raises(WrongAnswer, match="Not answered yet"):
        quarter(..., of=1)


def test_functions_are_called_and_their_errors_told() -> None:
    def fails(x: int) -> int:
        return [][x]

    assert doubling(lambda x: 2 * x).state == "right"
    assert doubling(lambda x: x * x) == wrong("squared")
    assert doubling(lambda x: ...).state == "unanswered"
    assert doubling(fails).message == "Your fails stopped: IndexError: list index out of range"


@pytest.mark.parametrize(
    ("given", "wanted", "state"),
    [
        (0.1429, 1 / 7, "right"),
        (0.15, 1 / 7, "wrong"),
        (np.float32(0.5), 0.5, "right"),
        (7, 7, "right"),
        (7.0, 7, "right"),
        (10_001, 10_000, "wrong"),  # a count is exact
        (True, 1, "wrong"),
        ("fear", "fear", "right"),
        (pd.Series({"a": 1.0, "b": 2}), {"b": 2, "a": 1}, "right"),
        (pd.DataFrame([{"a": 1.0}]), {"a": 1}, "right"),
        ([1, 2, 3], np.array([1.0, 2, 3]), "right"),
        (["nose", "mouth"], {"mouth", "nose"}, "right"),
        (pd.Index(["nose"]), {"mouth", "nose"}, "wrong"),
        (range(0, 30, 10), [0, 10, 20], "right"),
        (np.array(["a", "b"]), np.array(["a", "b"]), "right"),
        (pd.DataFrame([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]]), "right"),
        ([True, False], np.array([True, False]), "right"),
    ],
)
def test_answers_are_compared_by_value(given: Any, wanted: Any, state: str) -> None:
    assert compare(given, wanted, praise="").state == state


def test_a_mistake_may_name_some_entries_only() -> None:
    mistakes = {"the recall is upside down": {"recall": 2.0}}
    wanted = {"precision": 0.25, "recall": 0.5}
    assert compare({"precision": 9, "recall": 2}, wanted, mistakes=mistakes, praise="").message in mistakes


def test_entries_that_are_right_show_no_mistake() -> None:
    mistakes = {"the recall is upside down": {"recall": 0.5}}
    wanted = {"precision": 0.25, "recall": 0.5}
    assert compare({"precision": 9, "recall": 0.5}, wanted, mistakes=mistakes, praise="").message not in mistakes


@pytest.mark.parametrize(
    ("given", "wanted", "says"),
    [
        (0.9, 0.5, "0.9 is too large."),
        (0.1, 0.5, "0.1 is too small."),
        (50.0, 0.5, "in per cent"),
        (float("nan"), 0.5, "divided by zero"),
        ("0.5", 0.5, "is text; wanted is a number"),
        ({"a": 1}, {"a": 1, "b": 2}, "missing: b"),
        ({"a": 1, "c": 2}, {"a": 1}, "extra: c"),
        ({"a": 1, "b": 3}, {"a": 1, "b": 2}, "1 of 2 entries are off: b."),
        ([1, 2], [1, 2, 3], "shape (2,); wanted is (3,)"),
        ([1.0, 2.5], [1.0, 2.0], "off by up to 0.5"),
        (np.array(["a", "b"]), np.array(["a", "c"]), "1 of 2 values are off"),
        ({"nose", "mouth"}, {"nose"}, "1 of yours belong to the answer, which has 1; you gave 2"),
        ("nose", "mouth", "'nose' is not it."),
        (None, "mouth", "is a NoneType; wanted is text"),
    ],
)
def test_other_wrong_answers_are_told_how_they_differ(given: Any, wanted: Any, says: str) -> None:
    verdict = compare(given, wanted, praise="")
    assert verdict.state == "wrong"
    assert says in verdict.message
