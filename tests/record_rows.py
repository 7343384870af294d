"""A figure, its row and a claim's row, as a lesson records them."""

from typing import Any

from matplotlib.figure import Figure

ROW: dict[str, Any] = {
    "title": "Metrics [a]",
    "paper": "Figure 9, section V.B",
    "alt": "Three lines over seven classes [example].",
    "caption": "Happy is easiest.",
    "notebook": "06_evaluation",
    "profile": "smoke",
    "data": "sample",
    "made_from": None,
    "parameters": {"seed": 0},
}


def drawing() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 3, 2])
    return figure


def claim(**changes: Any) -> dict[str, Any]:
    row = {
        "statement": "Accuracy | on the test set",
        "source": "Table 1",
        "kind": "score",
        "paper": 0.552,
        "ours": 0.6,
        "interval": [0.55, 0.65],
        "n": 1234,
        "chance": 0.142857,
        "data": "rendered: sample",
        "split": "subject",
        "verdict": "cannot be tested on rendered data",
        "note": "",
    }
    return row | changes
