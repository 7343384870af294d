"""A check's answer: right, wrong or not answered yet, and why. A check reads::

    @check
    def recall_of_fear(given, *, cells):
        (_, fp), (fn, tp) = cells
        mistakes = {"You divided by all alarms; that is precision.": tp / (tp + fp)}
        return compare(given, tp / (tp + fn), mistakes=mistakes, praise="Most segments that show fear are found.")

What a learner answers comes by position, what the notebook knows by keyword. `...` stands for no answer.
"""

import functools
import html
import numbers
import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from microx_utils.course.exercises import STRICT
from microx_utils.plots.style import HELD_OUT_COLOUR, MUTED, SPLIT_COLOURS

LOOKS = {
    "right": ("Right.", HELD_OUT_COLOUR),
    "wrong": ("Not yet.", SPLIT_COLOURS["test"]),
    "unanswered": ("Not answered yet.", MUTED),
}


class Verdict(NamedTuple):
    """What a check says; shown below its cell."""

    state: Literal["right", "wrong", "unanswered"]
    message: str

    def __repr__(self) -> str:
        return f"{LOOKS[self.state][0]} {self.message}"

    def _repr_html_(self) -> str:
        word, colour = LOOKS[self.state]
        frame = f"border-left:4px solid {colour};padding:0.3em 0.8em;max-width:44em;line-height:1.5"
        return f'<div role="status" style="{frame}"><strong>{word}</strong> {html.escape(self.message)}</div>'


UNANSWERED = Verdict("unanswered", "Put your answer in place of the dots in the cell above and run both cells again.")


def right(message: str) -> Verdict:
    """Return the verdict on a right answer: what it means, not only that it is right."""
    return Verdict("right", message)


def wrong(message: str) -> Verdict:
    """Return the verdict on a wrong answer: what is wrong about it, without giving the right one away."""
    return Verdict("wrong", message)


class WrongAnswer(AssertionError):
    """A notebook whose answers have to be right has one that is not."""


class Settled(Exception):
    """Raised inside a judge that need not look any further."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


def check(judge: Callable[..., Verdict]) -> Callable[..., Verdict]:
    """Make a check of a function from answers (by position) and what the notebook knows (by keyword) to a verdict.

    An answer that is still `...` is unanswered, and the judge is not asked. In a run by `microx figures`, which takes
    the teacher's notebooks, whatever is not right raises `WrongAnswer`; a learner is only told.
    """

    @functools.wraps(judge)
    def checked(*answers: Any, **known: Any) -> Verdict:
        try:
            verdict = UNANSWERED if any(answer is ... for answer in answers) else judge(*answers, **known)
        except Settled as early:
            verdict = early.verdict
        if verdict.state != "right" and os.environ.get(STRICT):
            raise WrongAnswer(f"{judge.__name__}: {verdict!r}")
        return verdict

    return checked


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a learner's function returns; one that fails, or is not written yet, settles the verdict."""
    try:
        returned = function(*arguments)
    except Exception as error:
        raise Settled(wrong(f"Your {function.__name__} stopped: {type(error).__name__}: {error}")) from error
    if returned is ...:
        raise Settled(UNANSWERED)
    return returned


def compare(
    given: Any,
    wanted: Any,
    *,
    praise: str,
    mistakes: Mapping[str, Any] | None = None,
    tolerance: float | None = None,
) -> Verdict:
    """Return the verdict on a number, text, array, Series or dict of these.

    Parameters
    ----------
    given, wanted
        The learner's answer and the right one. Sets, lists of text and Index objects are compared without order.
    praise
        What to say to the right answer.
    mistakes
        What to say -> the answer that this mistake gives. A dict or Series needs only the entries that show it. A
        mistake that gives the right answer, or the right entries, on the data at hand is none.
    tolerance
        By how much numbers may be off; unless given, 0.2 % of the right one, and nothing where that is a whole number.
    """
    given, wanted = plain(given), plain(wanted)
    if agree(given, wanted, tolerance):
        return right(praise)
    for message, value in (mistakes or {}).items():
        mistake = plain(value)
        if shows(given, mistake, tolerance) and not shows(wanted, mistake, tolerance):
            return wrong(message)
    return wrong(difference(given, wanted, tolerance))


def plain(value: Any) -> Any:
    """Return numbers as Python's, arrays as arrays, a Series or one-row table as a dict, labels as a frozenset."""
    if isinstance(value, pd.DataFrame) and len(value) == 1:
        value = value.iloc[0]
    if isinstance(value, pd.Series | Mapping):
        return {key: plain(each) for key, each in value.items()}
    if (isinstance(value, np.ndarray) and value.ndim == 0) or isinstance(value, np.generic):
        return value.item()
    if isinstance(value, set | frozenset | pd.Index):
        return frozenset(value)
    if isinstance(value, list | tuple | range):
        each = list(value)
        return frozenset(each) if each and all(isinstance(one, str) for one in each) else np.asarray(each)
    if hasattr(value, "__array__"):  # a tensor, a table
        return np.asarray(value)
    return value


def is_number(value: Any) -> bool:
    """Return True for a number; True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def agree(given: Any, wanted: Any, tolerance: float | None) -> bool:
    """Return whether two plain values are the same but for rounding."""
    if isinstance(wanted, dict):
        return isinstance(given, dict) and given.keys() == wanted.keys() and shows(given, wanted, tolerance)
    if isinstance(wanted, np.ndarray):
        if not isinstance(given, np.ndarray) or given.shape != wanted.shape:
            return False
        if wanted.dtype.kind not in "iuf" or given.dtype.kind not in "iufb":
            return bool((given == wanted).all())
        scale = float(np.abs(wanted).max(initial=0))
        return bool(np.allclose(given, wanted, rtol=0, atol=0.002 * scale if tolerance is None else tolerance))
    if is_number(wanted) and is_number(given):
        allowed = tolerance
        if allowed is None:
            allowed = 0.0 if isinstance(wanted, numbers.Integral) else 0.002 * abs(wanted)
        return abs(given - wanted) <= allowed or given == wanted
    return type(given) is type(wanted) and bool(given == wanted)


def shows(given: Any, mistake: Any, tolerance: float | None) -> bool:
    """Return whether an answer is what a mistake gives; of a dict, in the entries that the mistake names."""
    if isinstance(mistake, dict):
        return isinstance(given, dict) and all(
            key in given and agree(given[key], value, tolerance) for key, value in mistake.items()
        )
    return agree(given, mistake, tolerance)


def difference(given: Any, wanted: Any, tolerance: float | None) -> str:
    """Return how an answer that fits no known mistake differs from the right one, without giving that away."""
    if isinstance(wanted, dict) and isinstance(given, dict):
        missing, extra = [k for k in wanted if k not in given], [k for k in given if k not in wanted]
        if missing or extra:
            named = [
                f"{what}: {', '.join(map(str, keys))}"
                for what, keys in (("missing", missing), ("extra", extra))
                if keys
            ]
            return f"Your answer has other entries than were asked for; {'; '.join(named)}."
        off = [key for key in wanted if not agree(given[key], wanted[key], tolerance)]
        return f"{len(off)} of {len(wanted)} entries are off: {', '.join(map(str, off))}."
    if is_number(wanted) and is_number(given):
        if given != given:
            return "Your answer is nan: something was divided by zero, or is missing."
        if agree(given / 100, wanted, tolerance):
            return "Right in per cent; give it as a share from 0 to 1."
        return f"{given:.4g} is too {'large' if given > wanted else 'small'}."
    if isinstance(wanted, np.ndarray) and isinstance(given, np.ndarray):
        if given.shape != wanted.shape:
            return f"Your answer has shape {given.shape}; wanted is {wanted.shape}."
        if given.dtype.kind in "iufb" and wanted.dtype.kind in "iuf":
            return f"The shape is right, the values are not: they are off by up to {np.abs(given - wanted).max():.4g}."
        return f"{int((given != wanted).sum())} of {wanted.size} values are off."
    if isinstance(wanted, frozenset) and isinstance(given, frozenset):
        return f"{len(given & wanted)} of yours belong to the answer, which has {len(wanted)}; you gave {len(given)}."
    if type(given) is not type(wanted):
        return f"Your answer is {kind(given)}; wanted is {kind(wanted)}."
    return f"{given!r} is not it."


def kind(value: Any) -> str:
    """Return what sort of thing an answer is, in words.

    >>> kind(0.5), kind("fear"), kind({"fear": 1})
    ('a number', 'text', 'a Series or dict')
    """
    if is_number(value):
        return "a number"
    names = {str: "text", dict: "a Series or dict", frozenset: "a set of names", bool: "True or False"}
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return names.get(type(value), f"a {type(value).__name__}")
