"""The paper against itself: two places that should agree, each computed from paper.toml and from nothing else."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scipy.stats import chisquare

from microx_utils.course import paper

CORNERS = {(0, 0): "top left", (0, 1): "top right", (1, 0): "bottom left", (1, 1): "bottom right"}


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


def _segments() -> int:
    """All segments of Figure 3; seven bars, each read off to about ten segments."""
    return sum(paper.figure(3)["read_off"]["counts"].values())


def _tested() -> dict[str, int]:
    """Test segments of each emotion: the bottom rows of Figures 11 to 14."""
    return {emotion: sum(cells[1]) for emotion, cells in paper.one_vs_rest().items()}


def _figure_10_counts() -> list[list[int]]:
    """Figure 10 in segments: per cent of the test set of Figures 11 to 14."""
    n = sum(_tested().values())
    return [[round(percent / 100 * n) for percent in row] for row in paper.confusion_percent()]


def _recalls() -> dict[str, float]:
    return {emotion: cells[1][1] / sum(cells[1]) for emotion, cells in paper.one_vs_rest().items()}


def _fscores() -> dict[str, float]:
    return {e: 2 * tp / (2 * tp + fp + fn) for e, ((_, fp), (fn, tp)) in paper.one_vs_rest().items()}


def _ranked(scores: dict[str, float]) -> list[str]:
    """Emotions from the highest score to the lowest."""
    return sorted(scores, key=lambda emotion: -scores[emotion])


def _images_of_a_segment() -> Audit:
    parts = [row for row in paper.figure(4)["rows"] if row != "full_face"]
    return Audit(paper.protocol()["component_images"], paper.protocol()["frames_per_segment"] * len(parts))


def _crop_size() -> Audit:
    crop = paper.protocol()["crop"]
    return Audit(crop["text"], crop["model_section"])


def _shortest_clip() -> Audit:
    clips = paper.value("clips")
    return Audit(clips["shortest_frames"], clips["shortest_frames_section_VII"])


def _seven_classes() -> Audit:
    labels = paper.value("labels")
    return Audit(labels["classes"], len(labels["baum2"]) - len(labels["joined"]) + 1)


def _test_share() -> Audit:
    return Audit(sum(_tested().values()), round(0.20 * _segments()), tolerance=14)


def _test_set_is_representative() -> Audit:
    tested, counts = _tested(), paper.figure(3)["read_off"]["counts"]
    n = sum(tested.values())
    expected = [counts[emotion] * n / _segments() for emotion in tested]
    by_chance = chisquare(list(tested.values()), expected).pvalue > 0.05
    same, other = "as by a random draw", "not as by a random draw"
    return Audit(same, same if by_chance else other)


def _dropout_after_every_dense() -> Audit:
    layers = list(paper.figure(5)["shapes"])
    dense = [place for place, name in enumerate(layers) if name.startswith("dense")][:-1]  # the last is the softmax
    return Audit(len(dense), sum(layers[place + 1 : place + 2] == ["dropout_1"] for place in dense))


def _early_stopping() -> Audit:
    stopping = paper.protocol()["early_stopping"]
    return Audit(stopping["section_IV_E"], stopping["section_V_A"])


def _epochs_of_the_runs() -> Audit:
    protocol = paper.protocol()
    return Audit(protocol["epochs"], protocol["runs"] * protocol["epochs_per_run"])


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


def _highest_and_lowest() -> Audit:
    ranked = _ranked(_fscores())
    return Audit(["fear", "happy", "contempt", "surprise"], sorted(ranked[:2]) + sorted(ranked[-2:]))


def _predicted_well() -> Audit:
    return Audit(["happy", "neutral"], sorted(_ranked(_recalls())[:2]))


def _predicted_poorly() -> Audit:
    missed = [emotion for emotion, ((_, _), (fn, tp)) in paper.one_vs_rest().items() if fn > tp]
    return Audit(["contempt", "surprise"], sorted(missed))


def _diagonal() -> Audit:
    rows = paper.confusion_percent()
    on_diagonal = sum(row[place] for place, row in enumerate(rows)) / 100
    return Audit(paper.table(1)["accuracy"], round(on_diagonal, 4), tolerance=0.005)


def _conditional() -> Audit:
    rows = paper.confusion_percent()
    return Audit(len(rows), sum(math.isclose(sum(row), 100, abs_tol=0.05) for row in rows))


def _rows_peak() -> Audit:
    rows = paper.confusion_percent()
    return Audit(len(rows), sum(row[place] == max(row) for place, row in enumerate(rows)))


def _columns_peak() -> Audit:
    columns = list(zip(*paper.confusion_percent(), strict=True))
    return Audit(len(columns), sum(column[place] == max(column) for place, column in enumerate(columns)))


def _darkest() -> Audit:
    rows = paper.confusion_percent()
    boxes = [(percent, row == column) for row, cells in enumerate(rows) for column, percent in enumerate(cells)]
    darkest = sorted(boxes, key=lambda box: -box[0])[: len(rows)]
    return Audit(len(rows) // 2 + 1, sum(on_diagonal for _, on_diagonal in darkest), at_least=True)


def _same_test_set() -> Audit:
    return Audit([sum(row) for row in _figure_10_counts()], list(_tested().values()))


def _one_total() -> Audit:
    return Audit([sum(_tested().values())], sorted({sum(map(sum, cells)) for cells in paper.one_vs_rest().values()}))


def _corner_of_false_negatives() -> Audit:
    """Rows are labels if the bottom row adds up to the emotion's row of Figure 10; then a miss stands left."""
    rows_are_labels = list(_tested().values()) == [sum(row) for row in _figure_10_counts()]
    return Audit(paper.figure(11)["false_negatives_stated"], CORNERS[(1, 0) if rows_are_labels else (0, 1)])


def _seven_panels() -> Audit:
    panels = paper.figure(15)["panels"]
    return Audit(len(panels), len(set(panels.values())))


def _unmasked_below_chance() -> Audit:
    return Audit(round(1 / len(paper.value("classes")), 4), paper.table(3)["without_mask"], at_least=True)


def _true_positives() -> Audit:
    cells = paper.one_vs_rest()
    tested = sum(map(sum, cells["neutral"]))
    correct = sum(table[1][1] for table in cells.values())
    return Audit(paper.table(1)["accuracy"], round(correct / tested, 4), tolerance=0.001)


def _parts_below_single_parts() -> Audit:
    single = max(paper.table(6)[part] for part in ("left_eye", "right_eye", "nose", "mouth"))
    return Audit(single, paper.table(5)["microx"], at_least=True)


AUDITS: dict[str, Callable[[], Audit]] = {
    "images_of_a_segment": _images_of_a_segment,
    "crop_size_stated_twice": _crop_size,
    "shortest_clip_stated_twice": _shortest_clip,
    "seven_classes_after_joining": _seven_classes,
    "figure_03_test_share": _test_share,
    "test_set_is_representative": _test_set_is_representative,
    "blocks_against_inputs": lambda: Audit(paper.protocol()["convlstm_blocks"], len(paper.figure(6)["inputs"])),
    "dropout_after_every_dense_layer": _dropout_after_every_dense,
    "early_stopping_quantity": _early_stopping,
    "epochs_of_the_runs": _epochs_of_the_runs,
    "stopped_before_the_last_epoch": lambda: Audit(paper.protocol()["stopped_at_epoch"], paper.figure(7)["epochs"][-1]),
    "figures_07_and_08_trends": _curves_move,
    "table_1_scores_alike": _scores_alike,
    "one_accuracy_in_all_tables": _one_accuracy,
    "figure_09_highest_and_lowest": _highest_and_lowest,
    "figure_10_diagonal": _diagonal,
    "figure_10_is_conditional": _conditional,
    "figure_10_rows_peak_on_diagonal": _rows_peak,
    "figure_10_columns_peak_on_diagonal": _columns_peak,
    "figure_10_darkest_on_diagonal": _darkest,
    "figure_10_same_test_set": _same_test_set,
    "figures_11_to_14_one_total": _one_total,
    "figures_11_to_14_accuracy": _true_positives,
    "false_negatives_corner": _corner_of_false_negatives,
    "predicted_well_by_recall": _predicted_well,
    "predicted_poorly_by_misses": _predicted_poorly,
    "figure_15_seven_panels": _seven_panels,
    "table_5_parts_below_single_parts": _parts_below_single_parts,
    "table_2_same_data": lambda: Audit(paper.table(2)["corpora"]["microx_fullface"], paper.table(2)["corpora"]["pan"]),
    "table_3_unmasked_below_chance": _unmasked_below_chance,
}
"""Claim id -> the computation on paper.toml that tests the paper against itself."""
