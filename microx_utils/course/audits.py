"""The paper against itself: two places that should agree, each computed from paper.toml and from nothing else."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import chisquare

from microx_utils.course import paper


@dataclass(frozen=True)
class Audit:
    """What the paper states, what is found elsewhere in it, and how close is equal.

    With `at_least`, what is found may also be more.
    """

    stated: Any
    found: Any
    tolerance: float = 0.0
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """True if both places agree; numbers may differ by the tolerance."""
        if isinstance(self.stated, int | float) and isinstance(self.found, int | float):
            if self.at_least:
                return self.found >= self.stated - self.tolerance
            return math.isclose(self.stated, self.found, rel_tol=0, abs_tol=self.tolerance)
        return self.stated == self.found


def _counts() -> dict[str, int]:
    """Segments of each emotion in Figure 3: seven bars, each read off to about ten segments."""
    return paper.figure(3)["read_off"]["counts"]


def _tested() -> dict[str, int]:
    """Test segments of each emotion: the bottom rows of Figures 11 to 14."""
    return {emotion: sum(cells[1]) for emotion, cells in paper.one_vs_rest().items()}


def _tested_in_figure_10() -> list[int]:
    """Test segments of each emotion in Figure 10: per cent of the test set of Figures 11 to 14."""
    n = sum(_tested().values())
    return [sum(round(percent / 100 * n) for percent in row) for row in paper.confusion_percent()]


def _ranked_recalls() -> list[str]:
    """Emotions from the highest recall in Figures 11 to 14 to the lowest."""
    recalls = {emotion: tp / (fn + tp) for emotion, (_, (fn, tp)) in paper.one_vs_rest().items()}
    return sorted(recalls, key=lambda emotion: -recalls[emotion])


def _ranked_fscores() -> list[str]:
    """Emotions from the highest F-score in Figures 11 to 14 to the lowest."""
    fscores = {e: 2 * tp / (2 * tp + fp + fn) for e, ((_, fp), (fn, tp)) in paper.one_vs_rest().items()}
    return sorted(fscores, key=lambda emotion: -fscores[emotion])


def _peaks_on_diagonal(lines: Sequence[Sequence[float]]) -> Audit:
    """Rows or columns of Figure 10, and how many have their largest value on the diagonal."""
    return Audit(len(lines), sum(line[place] == max(line) for place, line in enumerate(lines)))


def _test_set_is_representative() -> Audit:
    tested, counts = _tested(), _counts()
    expected = [counts[emotion] * sum(tested.values()) / sum(counts.values()) for emotion in tested]
    by_chance = chisquare(list(tested.values()), expected).pvalue > 0.05
    same, other = "as by a random draw", "not as by a random draw"
    return Audit(same, same if by_chance else other)


def _dropout_after_every_dense() -> Audit:
    layers = list(paper.figure(5)["shapes"])
    dense = [place for place, name in enumerate(layers) if name.startswith("dense")][:-1]  # the last is the softmax
    return Audit(len(dense), sum(layers[place + 1 : place + 2] == ["dropout_1"] for place in dense))


def _curves_move() -> Audit:
    accuracy, loss = (paper.figure(number)["read_off"].values() for number in (7, 8))
    as_said = [last > first for first, last in accuracy] + [last < first for first, last in loss]
    return Audit(len(as_said), sum(as_said))


def _scores_alike() -> Audit:
    scores = [paper.table(1)[name] for name in ("precision", "recall", "fscore")]
    return Audit(max(scores), min(scores), tolerance=0.01)


def _one_accuracy() -> Audit:
    elsewhere = {paper.table(2)["microx_fullface"], paper.table(4)["colour"], paper.table(5)["microx_fullface"]}
    return Audit([paper.table(1)["accuracy"]], sorted(elsewhere))


def _diagonal() -> Audit:
    on_diagonal = sum(row[place] for place, row in enumerate(paper.confusion_percent())) / 100
    return Audit(paper.table(1)["accuracy"], round(on_diagonal, 4), tolerance=0.005)


def _darkest() -> Audit:
    rows = paper.confusion_percent()
    boxes = [(percent, row == column) for row, cells in enumerate(rows) for column, percent in enumerate(cells)]
    darkest = sorted(boxes, key=lambda box: -box[0])[: len(rows)]
    return Audit(len(rows) // 2 + 1, sum(on_diagonal for _, on_diagonal in darkest), at_least=True)


def _corner_of_false_negatives() -> Audit:
    """Rows are labels if the bottom row adds up to the emotion's row of Figure 10; then misses are on the left."""
    rows_are_labels = list(_tested().values()) == _tested_in_figure_10()
    return Audit(paper.figure(11)["false_negatives_stated"], "bottom left" if rows_are_labels else "top right")


def _true_positives() -> Audit:
    correct = sum(tp for _, (_, tp) in paper.one_vs_rest().values())
    return Audit(paper.table(1)["accuracy"], round(correct / sum(_tested().values()), 4), tolerance=0.001)


AUDITS: dict[str, Callable[[], Audit]] = {
    "images_of_a_segment": lambda: Audit(
        paper.protocol()["component_images"],
        paper.protocol()["frames_per_segment"] * len(set(paper.figure(4)["rows"]) - {"full_face"}),
    ),
    "crop_size_stated_twice": lambda: Audit(*(paper.protocol()["crop"][place] for place in ("text", "model_section"))),
    "shortest_clip_stated_twice": lambda: Audit(
        paper.value("clips", "shortest_frames"), paper.value("clips", "shortest_frames_section_VII")
    ),
    "seven_classes_after_joining": lambda: Audit(
        paper.value("labels", "classes"), len(paper.value("labels", "baum2")) - len(paper.value("labels", "joined")) + 1
    ),
    "figure_03_test_share": lambda: Audit(sum(_tested().values()), round(0.20 * sum(_counts().values())), tolerance=14),
    "test_set_is_representative": _test_set_is_representative,
    "blocks_against_inputs": lambda: Audit(paper.protocol()["convlstm_blocks"], len(paper.figure(6)["inputs"])),
    "dropout_after_every_dense_layer": _dropout_after_every_dense,
    "early_stopping_quantity": lambda: Audit(
        *(paper.protocol()["early_stopping"][section] for section in ("section_IV_E", "section_V_A"))
    ),
    "epochs_of_the_runs": lambda: Audit(
        paper.protocol()["epochs"], paper.protocol()["runs"] * paper.protocol()["epochs_per_run"]
    ),
    "stopped_before_the_last_epoch": lambda: Audit(paper.protocol()["stopped_at_epoch"], paper.figure(7)["epochs"][-1]),
    "figures_07_and_08_trends": _curves_move,
    "table_1_scores_alike": _scores_alike,
    "one_accuracy_in_all_tables": _one_accuracy,
    "figure_09_highest_and_lowest": lambda: Audit(
        ["fear", "happy", "contempt", "surprise"], sorted(_ranked_fscores()[:2]) + sorted(_ranked_fscores()[-2:])
    ),
    "figure_10_diagonal": _diagonal,
    "figure_10_is_conditional": lambda: Audit(
        len(paper.value("classes")), sum(math.isclose(sum(row), 100, abs_tol=0.05) for row in paper.confusion_percent())
    ),
    "figure_10_rows_peak_on_diagonal": lambda: _peaks_on_diagonal(paper.confusion_percent()),
    "figure_10_columns_peak_on_diagonal": lambda: _peaks_on_diagonal(
        list(zip(*paper.confusion_percent(), strict=True))
    ),
    "figure_10_darkest_on_diagonal": _darkest,
    "figure_10_same_test_set": lambda: Audit(_tested_in_figure_10(), list(_tested().values())),
    "figures_11_to_14_one_total": lambda: Audit(
        [sum(_tested().values())], sorted({sum(map(sum, cells)) for cells in paper.one_vs_rest().values()})
    ),
    "figures_11_to_14_accuracy": _true_positives,
    "false_negatives_corner": _corner_of_false_negatives,
    "predicted_well_by_recall": lambda: Audit(["happy", "neutral"], sorted(_ranked_recalls()[:2])),
    "predicted_poorly_by_misses": lambda: Audit(
        ["contempt", "surprise"], sorted(e for e, (_, (fn, tp)) in paper.one_vs_rest().items() if fn > tp)
    ),
    "figure_15_seven_panels": lambda: Audit(
        len(paper.figure(15)["panels"]), len(set(paper.figure(15)["panels"].values()))
    ),
    "table_5_parts_below_single_parts": lambda: Audit(
        max(paper.table(6)[part] for part in ("left_eye", "right_eye", "nose", "mouth")),
        paper.table(5)["microx"],
        at_least=True,
    ),
    "table_2_same_data": lambda: Audit(*(paper.table(2)["corpora"][system] for system in ("microx_fullface", "pan"))),
    "table_3_unmasked_below_chance": lambda: Audit(
        round(1 / len(paper.value("classes")), 4), paper.table(3)["without_mask"], at_least=True
    ),
}
"""Claim id -> the computation on paper.toml that tests the paper against itself."""
