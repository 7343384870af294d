"""The paper's own numbers, read from paper.toml: figures, tables, protocol, and what the authors' code does."""

import copy
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

PAPER_FILE = Path(__file__).with_name("paper.toml")


@cache
def _facts() -> dict[str, Any]:
    return tomllib.loads(PAPER_FILE.read_text(encoding="utf-8"))


def value(*path: str | int) -> Any:
    """Return one value of paper.toml by its keys (and positions in lists), as a copy that is safe to change.

    Raises
    ------
    KeyError
        A key or position does not exist; the message lists those that do.

    >>> value("tables", 1, "accuracy")
    0.552
    """
    found: Any = _facts()
    for depth, key in enumerate(path):
        if isinstance(found, list) and isinstance(key, int) and -len(found) <= key < len(found):
            found = found[key]
            continue
        if not isinstance(found, dict) or str(key) not in found:
            where = ".".join(str(part) for part in path[:depth]) or "the paper's facts"
            choices = list(found) if isinstance(found, dict | list) else "a plain value"
            raise KeyError(f"{where} has no {key!r}; found {choices}")
        found = found[str(key)]
    return copy.deepcopy(found)


def figure(number: int) -> dict[str, Any]:
    """Return what the paper's Figure 1 to 17 shows: `section`, `title`, `shows` and its numbers.

    Numbers that were read off a plot are under `read_off`.
    """
    return value("figures", number)


def table(number: int) -> dict[str, Any]:
    """Return the paper's Table 1 to 6: `section`, `title` and its cells; scores are fractions, not per cent.

    >>> table(1)["fscore"]
    0.526
    """
    return value("tables", number)


def protocol() -> dict[str, Any]:
    """Return the settings that the paper's text states: frame rate, segment length, batch size and so on."""
    return value("protocol")


def published_code() -> dict[str, Any]:
    """Return what the authors' public code does where the paper is silent or differs."""
    return value("published_code")


def one_vs_rest() -> dict[str, list[list[int]]]:
    """Return Figures 11 to 14 together: emotion -> [[TN, FP], [FN, TP]], counts of test segments.

    >>> one_vs_rest()["sad"]
    [[578, 46], [47, 60]]
    """
    return {emotion: cells for number in range(11, 15) for emotion, cells in figure(number)["one_vs_rest"].items()}


def confusion_percent() -> list[list[float]]:
    """Return Figure 10: 7 rows (true) of 7 columns (predicted), per cent of all test segments."""
    rows = figure(10)["percent"]
    return [rows[emotion] for emotion in value("classes")]


def reference(figure_id: str) -> str:
    """Return how a caption cites a figure: the paper's number and section, or that it is not in the paper.

    >>> reference("figure_09")
    'Figure 9, section V.B'
    >>> reference("extra_landmark_error")
    'not in the paper'
    """
    if figure_id.startswith("extra_"):
        return "not in the paper"
    number = int(figure_id.removeprefix("figure_"))
    return f"Figure {number}, section {figure(number)['section']}"
