"""A lesson checks its parameters, and what it is asked to show and record."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot

from microx_utils.course import ledger, paper, records
from microx_utils.course.claims import UNTESTABLE
from microx_utils.course.lesson import Lesson, open_lesson
from microx_utils.course.outline import load_course
from microx_utils.experiments import get_profile, load_experiment
from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.training import Run

ALT = "A line that rises from one to three over three points."


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """A data folder that says of itself that it is rendered."""
    folder = tmp_path / "people"
    (folder / "BAUM-2").mkdir(parents=True)
    (folder / "truth.npz").touch()
    return folder


@pytest.fixture
def lesson(rendered: Path, tmp_path: Path) -> Iterator[Lesson]:
    mpl.use("agg")
    yield Lesson(load_course().notebook("06_evaluation"), get_profile("smoke"), str(rendered), 3, tmp_path / "out")
    pyplot.close("all")


def test_open_lesson_lists_the_choices(rendered: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown notebook '07'; choose from .*06_evaluation"):
        open_lesson("07", data=str(rendered))
    with pytest.raises(ValueError, match=r"unknown profile 'fast'; choose from \('smoke', 'class', 'paper'\)"):
        open_lesson("06_evaluation", profile="fast", data=str(rendered))
    for seed in (-1, 1.0, True, "0"):
        with pytest.raises(ValueError, match="whole number from 0 up"):
            open_lesson("06_evaluation", data=str(rendered), seed=seed)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r'no such data folder\. Choose "sample", a corpus by NAME=FOLDER'):
        open_lesson("06_evaluation", data=str(tmp_path / "nowhere"))


def test_missing_sample_says_how_to_make_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "SAMPLE", tmp_path / "sample")
    with pytest.raises(DataError, match="microx data render"):
        open_lesson("06_evaluation")


def test_a_students_records_begin_with_the_complete_notebooks_claims(
    rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "FIGURES", tmp_path / "figures")
    given: dict[str, Any] = {"profile": "smoke", "data": str(rendered)}
    complete = open_lesson("06_evaluation", **given).folder
    records.record_claim(complete, "a", {"ours": 1})
    student = open_lesson("06_evaluation", **given, student=True).folder
    assert records.read_claims(student) == {"a": {"ours": 1}}
    records.record_claim(student, "a", {"ours": 2})
    assert records.read_claims(complete) == {"a": {"ours": 1}}
    assert records.read_claims(open_lesson("06_evaluation", **given, student=True).folder) == {"a": {"ours": 2}}


def test_open_lesson_takes_a_relative_folder(rendered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(rendered.parent)
    opened = open_lesson("06_evaluation", profile="smoke", data=rendered.name, seed=4)
    assert Path(opened.data) == rendered.resolve()
    assert (opened.notebook, opened.profile.name, opened.seed) == ("06_evaluation", "smoke", 4)
    assert opened.folder.parent == paths.FIGURES / "runs"


def test_figure_and_its_row(lesson: Lesson) -> None:
    figure, axes = pyplot.subplots()
    axes.plot([1, 2, 3])
    lesson.show(
        figure,
        "figure_09",
        alt=ALT,
        caption="Two\n lines.",
        made_from=["a", 1],
        clips=np.int64(7),
        edges=(0.5, np.float32(1)),
    )
    row = records.read_figures(lesson.folder)["figure_09"]
    assert (lesson.folder / row["file"]).read_bytes().startswith(b"\x89PNG")
    assert row["alt"] == ALT
    assert row["caption"] == "Two lines."
    assert row["paper"] == "Figure 9, section V.B"
    assert row["parameters"] == {"clips": 7, "edges": [0.5, 1.0]}
    assert (row["seed"], row["inputs"]) == (3, ["a", 1])
    assert (row["notebook"], row["profile"]) == ("06_evaluation", "smoke")
    assert row["data"].startswith("people-")
    assert len(row["made_from"]) == 16
    assert str(lesson.data) not in (lesson.folder / "manifest.json").read_text(encoding="utf-8")


def test_equal_figures_give_equal_bytes(lesson: Lesson) -> None:
    written = []
    for _ in range(2):
        figure, axes = pyplot.subplots()
        axes.plot([1, 2, 3])
        lesson.show(figure, "figure_09", alt=ALT)
        written.append((lesson.folder / "figure_09.png").read_bytes())
        assert not pyplot.get_fignums(), "shown, so closed"
    assert written[0] == written[1]
    assert b"Software" not in written[0]


def test_an_axes_stands_for_its_figure(lesson: Lesson) -> None:
    _, axes = pyplot.subplots()
    lesson.show(axes, "figure_10", alt=ALT)
    assert (lesson.folder / "figure_10.png").is_file()


@pytest.mark.parametrize(
    ("id", "suptitle", "titles", "given", "expected"),
    [
        (
            "extra_reliability",
            "Are the\nprobabilities right? \n",
            ["left", "right"],
            None,
            "Are the probabilities right?",
        ),
        ("extra_reliability", "", ["left", ""], None, "left"),
        ("extra_reliability", "", ["left", "right"], None, "Reliability"),
        ("extra_reliability", "drawn", ["left", "right"], "given", "given"),
        ("figure_10", "drawn", ["left", "right"], None, paper.figure(10)["title"]),
    ],
)
def test_title_is_the_one_given_or_the_papers_or_that_drawn(
    lesson: Lesson, id: str, suptitle: str, titles: list[str], given: str | None, expected: str
) -> None:
    figure, panels = pyplot.subplots(1, 2)
    figure.suptitle(suptitle)
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(title, loc="left")
    lesson.show(figure, id, alt=ALT, title=given)
    assert records.read_figures(lesson.folder)[id]["title"] == expected


@pytest.mark.parametrize("alt", ["", "Figure 9", "a" * 19, "short" + " " * 30 + "text"])
def test_alt_text_must_describe(lesson: Lesson, alt: str) -> None:
    with pytest.raises(ValueError, match="at least 20 characters"):
        lesson.show(pyplot.figure(), "figure_09", alt=alt)
    assert not (lesson.folder / "figure_09.png").exists()


def test_show_refuses(lesson: Lesson) -> None:
    with pytest.raises(ValueError, match=r"'figure_01' is not declared for 06_evaluation .*figure_09"):
        lesson.show(pyplot.figure(), "figure_01", alt=ALT)
    with pytest.raises(ValueError, match="fig is a str"):
        lesson.show("line", "figure_09", alt=ALT)
    with pytest.raises(TypeError, match="can't be recorded"):
        lesson.show(pyplot.figure(), "figure_09", alt=ALT, model=object())


def test_claims_round_trip(lesson: Lesson) -> None:
    said = lesson.record_claim(
        "table_1_accuracy", np.float64(0.6), interval=(0.5, np.float64(0.7)), n=99, chance=1 / 7, split="subject"
    )
    assert said == UNTESTABLE
    lesson.record_claim("figure_10_diagonal")
    rows = records.read_claims(lesson.folder)
    assert rows["table_1_accuracy"]["ours"] == 0.6
    assert rows["table_1_accuracy"]["interval"] == [0.5, 0.7]
    assert rows["table_1_accuracy"]["data"].startswith("rendered: people-")
    assert rows["table_1_accuracy"]["notebook"] == "06_evaluation"
    assert rows["figure_10_diagonal"]["ours"] == 0.4336
    with pytest.raises(ValueError, match="'network_parameters' is not declared for 06_evaluation"):
        lesson.record_claim("network_parameters", 1)


def test_a_run_is_recorded_by_name_and_key(lesson: Lesson, tmp_path: Path) -> None:
    run = Run(load_experiment("table1_microx", lesson.profile), "0123456789abcdef", tmp_path, None, None, {})  # type: ignore[arg-type]
    lesson.record_claim("figure_09_best_fscore", "happy", made_from=[run, "plain"])
    row = records.read_claims(lesson.folder)["figure_09_best_fscore"]
    assert row["inputs"][0]["experiment"] == "table1_microx"
    assert row["inputs"][0]["key"] == "0123456789abcdef"
    assert row["inputs"][1] == "plain"
    assert row["cell"] is None  # no notebook is running
    assert ledger.why_stale(row) == ""
