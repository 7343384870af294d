"""The teacher's pages: the committed ones are what course.toml and the notebooks make, and what they name exists."""

import re
from pathlib import Path

import nbformat
import pytest

from microx_utils.course.outline import COURSE_FILE, load_course
from microx_utils.publish import teaching
from microx_utils.support import paths
from microx_utils.support.errors import DataError

COURSE = load_course()
ENTRIES = pytest.mark.parametrize("entry", COURSE.notebooks, ids=lambda entry: entry.number)


def test_committed_pages_are_up_to_date() -> None:
    wanted = teaching.pages(COURSE, teaching.TEACHING)
    there = {str(page.relative_to(teaching.TEACHING).as_posix()) for page in teaching.TEACHING.rglob("*.*")}
    assert there == set(wanted), "run `microx teaching`"
    for name, text in wanted.items():
        assert (teaching.TEACHING / name).read_text(encoding="utf-8") == text, f"{name} is old: run `microx teaching`"


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in teaching.TEACHING.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@ENTRIES
def test_goals_are_read_from_the_notebook(entry) -> None:
    found = teaching.goals(entry)
    assert 2 <= len(found) <= 8
    assert all(goal.startswith("to ") for goal in found)


@ENTRIES
def test_every_figure_has_a_slide_and_every_section_notes(entry) -> None:
    deck = teaching.slides(entry)
    assert sorted(slide.figure for slide in deck if slide.figure) == sorted(entry.figures)
    assert [slide.heading for slide in deck][-2:] == ["Recap", "Limits"]
    said = "\n".join(note for slide in deck for note in slide.notes)
    cells = nbformat.read(paths.NOTEBOOKS / f"{entry.id}.ipynb", as_version=4).cells
    explained = [line for cell in cells for line in cell.source.splitlines() if line.startswith("**Explain.**")]
    own = [line for line in explained if line not in said]
    assert len(own) <= sum("solution" in cell.metadata.get("tags", []) for cell in cells)


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = COURSE_FILE.read_text(encoding="utf-8")
    assert text.count(old) >= 1
    path = tmp_path / "course.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_plans_that_do_not_add_up_or_name_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="take 55 minutes instead of 50"):
        teaching.read_plans(COURSE, changed(tmp_path, "{ minutes = 5, notebook", "{ minutes = 10, notebook"))
    with pytest.raises(DataError, match=r"no cells \['cell-nowhere'\]"):
        teaching.read_plans(COURSE, changed(tmp_path, 'cells = ["cell-05"]', 'cells = ["cell-nowhere"]'))
    with pytest.raises(DataError, match="unknown notebook"):
        teaching.read_plans(COURSE, changed(tmp_path, 'notebook = "06_evaluation"', 'notebook = "06_gone"'))


def test_elsewhere_pages_hold_their_pictures(tmp_path: Path) -> None:
    made = teaching.save_teaching(COURSE, tmp_path)
    (first,) = [page for page in made if page.name == "00_start_here.html"]
    text = first.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == len(COURSE.notebooks[0].figures)
    assert "../figures" not in text
    (tmp_path / "slides" / "99_gone.html").write_text("", encoding="utf-8")
    assert teaching.save_teaching(COURSE, tmp_path) == [tmp_path / "slides" / "99_gone.html"]


def test_a_place_names_the_heading_above_its_cells() -> None:
    row = {"notebook": "03_segments_and_splits", "cells": ["cell-06", "cell-15"]}
    said = teaching.places(COURSE, row)
    assert said.startswith("[03](../notebooks/03_segments_and_splits.ipynb), ")
    assert "A leak, measured (`cell-15`)" in said
    assert teaching.places(COURSE, {"do": "Break."}) == "–"


def test_every_deck_asks_something() -> None:
    for entry in COURSE.notebooks:
        asked = [slide for slide in teaching.slides(entry) if "**Predict" in slide.text or "**Diagnose" in slide.text]
        assert asked, entry.id


def test_a_task_within_a_section_stands_before_its_answer() -> None:
    deck = teaching.slides(COURSE.notebook("14_something_is_wrong"))
    (task,) = [k for k, slide in enumerate(deck) if slide.heading == "Exercise 1 · Mend"]
    assert not deck[task].figure and deck[task + 1].figure == "extra_lab_a_mended"
