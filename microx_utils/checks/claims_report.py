"""The exercises of notebook 18."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from microx_utils.checks.verdict import Verdict, check, compare, right, wrong
from microx_utils.components import PAPER_COMPONENTS
from microx_utils.course.audits import Audit
from microx_utils.experiments import Experiment, get_profile, parse_experiment

PLANNED = {  # row -> its components, crop_style and split
    "fair_face": (("full_face",), "aligned", "subject"),
    "fair_both": (PAPER_COMPONENTS, "aligned", "subject"),
    "authors_face": (("full_face",), "published", "segment"),
    "authors_both": (PAPER_COMPONENTS, "published", "segment"),
}
STYLES = {"aligned": "the face, turned and scaled by the eyes", "published": "the whole frame"}
SPLITS = {"subject": "keeps people apart", "clip": "divides clips", "segment": "divides segments at random"}


@check
def planned_rows(given: Any) -> Verdict:
    """Check the text of four rows of experiments.toml: face, and face with parts, fairly and as the authors did it."""
    if not isinstance(given, str):
        return wrong(f"plan is a {type(given).__name__}; wanted is text, as it would stand in experiments.toml.")
    try:
        rows = tomllib.loads(given)
    except tomllib.TOMLDecodeError as error:
        return wrong(f"plan is no TOML: {error}.")
    if set(rows) != set(PLANNED):
        return wrong(f"The rows should be called {', '.join(PLANNED)}; yours are {', '.join(rows) or 'none'}.")
    found: dict[str, Experiment] = {}
    for name, row in rows.items():
        if not isinstance(row, dict) or "components" not in row:
            return wrong(f"{name} does not say which components it has.")
        try:
            found[name] = parse_experiment(name, row, get_profile("paper"), seed=0)
        except ValueError as error:
            return wrong(f"{error}.")
    for name, (components, style, split) in PLANNED.items():
        row = found[name]
        if set(row.components) != set(components):
            return wrong(f"{name} has {', '.join(row.components)}; Table 5 is about {', '.join(components)}.")
        if row.crop_style != style:
            return wrong(
                f"{name}: crop_style {row.crop_style!r} makes full_face {STYLES[row.crop_style]}; wanted here is "
                f"{STYLES[style]}."
            )
        if row.split != split:
            return wrong(f"{name}: split {row.split!r} {SPLITS[row.split]}; wanted here is one that {SPLITS[split]}.")
    for who in ("fair", "authors"):
        one, other = (asdict(found[f"{who}_{what}"]) for what in ("face", "both"))
        differ = [key for key in one if key not in ("name", "components") and one[key] != other[key]]
        if differ:
            return wrong(
                f"{who}_face and {who}_both differ in {', '.join(differ)}, too. A gap between them could come of that."
            )
    return right(
        "Face and both differ in their components alone. Still to be said: several seeds, the same in all rows, and "
        "the interval of the difference over people, in pairs, on the same segments. If the face leads in the authors' "
        "rows only, the table measures what a whole frame gives away about a recording."
    )


@check
def implied_accuracy(
    given: float, *, recalls: Mapping[str, float], confusions: Mapping[str, Sequence[Sequence[int]]], stated: float
) -> Verdict:
    """Check the accuracy that the recalls of Figure 9 and the classes' sizes in Figures 11 to 14 imply.

    Parameters
    ----------
    confusions
        Emotion -> [[TN, FP], [FN, TP]].
    stated
        The accuracy of Table 1.
    """
    cells = np.array([confusions[emotion] for emotion in recalls], dtype=float)  # (7, 2, 2)
    values = np.array(list(recalls.values()))
    tested, answered, hits = cells[:, 1].sum(axis=1), cells[:, :, 1].sum(axis=1), cells[:, 1, 1]
    implied = float(np.average(values, weights=tested))
    mistakes = {
        "That is the mean of the recalls, in which a rare class counts like a common one: the UAR.": values.mean(),
        "You weighted by how often an emotion was answered. A recall is a share of those that show it.": np.average(
            values, weights=answered
        ),
        "You weighted by the segments that were found. A recall is a share of all that show it.": np.average(
            values, weights=hits
        ),
        "That is what Figures 11 to 14 say by themselves. An audit compares two places; take Figure 9's recalls.": (
            hits.sum() / tested.sum()
        ),
    }
    holds = Audit(stated, round(implied, 3), tolerance=0.01).holds
    praise = (
        f"{implied:.4f}, and Table 1 has {stated:.3f}: {'they agree' if holds else 'they do not agree'}, as far as "
        "values can be read off a plot, to about 0.01. Whoever trusts them to 0.001 may find otherwise: an audit has "
        "to say how close is equal."
    )
    return compare(given, implied, mistakes=mistakes, praise=praise, tolerance=2e-4)
