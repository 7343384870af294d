"""course.toml is read strictly, notebooks are chosen by name, and each notebook's time line follows it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from microx_utils.course.outline import Course, load_course, parse_notebook, parse_widget, save_time_lines, time_line
from microx_utils.support.errors import DataError


@pytest.fixture
def whole() -> Course:
    return load_course()


def test_every_paper_figure_of_the_course_is_saved_once(whole: Course) -> None:
    saved = [name for notebook in whole.notebooks for name in notebook.figures if name.startswith("figure_")]
    assert sorted(saved) == [f"figure_{number:02d}" for number in range(1, 18)]


@pytest.mark.parametrize("only", ["03,06", "3, 6", "06_evaluation,segments_and_splits", "06,03,03"])
def test_select_by_number_topic_or_id_keeps_the_order(whole: Course, only: str) -> None:
    assert [notebook.id for notebook in whole.select(only)] == ["03_segments_and_splits", "06_evaluation"]


@pytest.mark.parametrize("only", ["99", "3.0", "evaluate", "-1", "03,typo"])
def test_select_refuses_what_fits_nothing(whole: Course, only: str) -> None:
    with pytest.raises(ValueError, match=r"no notebook .*choose from 00 \(start_here\), 01"):
        whole.select(only)


def test_select_nothing_is_refused(whole: Course) -> None:
    with pytest.raises(ValueError, match="at least one notebook"):
        whole.select(" , ")


ROW: dict[str, Any] = {
    "id": "01_topic",
    "title": "Topic",
    "section": "section I",
    "study_minutes": 1,
    "run_minutes": {"smoke": 0, "class": 0, "paper": 0},
    "figures": [],
    "tables": [],
    "claims": [],
    "needs": [],
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, r"unknown keys \['colour'\]"),
        ({"id": "topic"}, "two digits"),
        ({"run_minutes": {"smoke": 1}}, "run_minutes needs the profiles"),
        ({"claims": ["table_9"]}, r"claims \['table_9'\] are not in"),
    ],
)
def test_bad_row_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_notebook(ROW | changes)


@pytest.mark.parametrize("changes", [{"figures": ["figure_18"]}, {"tables": [7]}])
def test_figure_or_table_that_the_paper_lacks_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(KeyError, match=r"no (18|7)"):
        parse_notebook(ROW | changes)


WIDGET: dict[str, Any] = {
    "id": "clip_browser",
    "title": "Clip browser",
    "notebooks": ["01_topic"],
    "alt": "A face with points on it.",
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "it has the keys .* instead of"),
        ({"notebooks": ["02_topic"]}, r"unknown are \['02_topic'\]"),
        ({"notebooks": []}, "needs notebooks of the course"),
        ({"alt": "A face."}, "at least 20 characters"),
        ({"id": "clip-browser"}, "an id is a module's name"),
    ],
)
def test_bad_widget_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_widget(WIDGET | changes, ["01_topic"])


def test_widgets_are_read_once_each(tmp_path: Path) -> None:
    path = write_course(tmp_path / "course.toml", ROW)
    entry = "\n".join(["", "[[widgets]]", *(f"{key} = {json.dumps(value)}" for key, value in WIDGET.items())])
    path.write_text(path.read_text(encoding="utf-8") + entry, encoding="utf-8")
    (widget,) = load_course(path).widgets
    assert (widget.id, widget.screenshot) == ("clip_browser", "widgets/clip_browser.png")
    path.write_text(path.read_text(encoding="utf-8") + entry, encoding="utf-8")
    with pytest.raises(DataError, match="a widget occurs twice"):
        load_course(path)


def write_course(path: Path, *rows: dict[str, Any], repository: str = "") -> Path:
    lines = ['title = "T"', f"repository = {json.dumps(repository)}"]
    for row in rows:
        lines.append("[[notebooks]]")
        lines += [
            f"{key} = " + ("{ smoke = 0, class = 0, paper = 0 }" if key == "run_minutes" else json.dumps(value))
            for key, value in row.items()
        ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_course_refuses_a_figure_saved_twice_and_needs_out_of_order(tmp_path: Path) -> None:
    first, second = ROW | {"figures": ["extra_x"]}, ROW | {"id": "02_next", "figures": ["extra_x"]}
    with pytest.raises(DataError, match=r"figures that occur twice: \['extra_x'\]"):
        load_course(write_course(tmp_path / "twice.toml", first, second))
    with pytest.raises(DataError, match="needs"):
        load_course(write_course(tmp_path / "early.toml", ROW | {"needs": ["02_next"]}, ROW | {"id": "02_next"}))
    assert len(load_course(write_course(tmp_path / "good.toml", first, ROW | {"id": "02_next"})).notebooks) == 2


@pytest.mark.parametrize("address", ["github.com/a/b", "https://github.com/a", "https://github.com/a/b.git", "OWNER"])
def test_an_address_that_no_button_can_use_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(DataError, match="repository is"):
        load_course(write_course(tmp_path / "course.toml", ROW, repository=address))
    known = write_course(tmp_path / "course.toml", ROW, repository="https://github.com/a/b.c-d")
    assert load_course(known).repository == "https://github.com/a/b.c-d"


def test_time_line_says_what_has_been_measured(whole: Course) -> None:
    notebook = replace(whole.notebooks[0], study_minutes=40)
    assert time_line(replace(notebook, run_minutes={"smoke": 0, "class": 0, "paper": 0})) == (
        "**Time** about 40 minutes to work through"
    )
    assert time_line(replace(notebook, run_minutes={"smoke": 0.3, "class": 2, "paper": 0})) == (
        "**Time** about 40 minutes to work through; running it takes 2 min in `class` or 18 s in `smoke`, on two cores"
    )


@pytest.mark.parametrize("source", ["# A\n\n**Time** old\nmore", ["# A\n", "**Time** old\n", "more"]])
def test_time_lines_are_written_into_either_form_of_source(tmp_path: Path, source: Any) -> None:
    course = Course("T", (parse_notebook(ROW),))
    path = tmp_path / "01_topic.ipynb"
    path.write_text(json.dumps({"cells": [{"source": source}, {"source": "x = 1"}]}, indent=1), encoding="utf-8")
    assert save_time_lines(course, tmp_path) == [path]
    found = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
    assert "".join(found) == "".join(source).replace("**Time** old", "**Time** about 1 minutes to work through")
    assert save_time_lines(course, tmp_path) == []


def test_notebook_without_a_time_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "01_topic.ipynb").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="0 lines say how long"):
        save_time_lines(Course("T", (parse_notebook(ROW),)), tmp_path)
