"""The student's version: answers blanked, teacher's text gone, hints kept, nothing else changed."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_factory import a_course

from microx_utils.course.anywhere import installing_cell
from microx_utils.course.exercises import answer_names, blank_answer, fill_in, save_exercises, student_version
from microx_utils.course.outline import load_course
from microx_utils.support import paths
from microx_utils.support.errors import DataError

OPEN = 'lesson = open_lesson("00_a", profile=profile, data=data, seed=seed)'
SOLUTION = """\
given = 3
# BEGIN SOLUTION
half = given / 2  # a comment
low, high = half - 1, half + 1
# END SOLUTION
high"""
FUNCTION = """\
def double(x):
    '''Twice x.'''
    # BEGIN SOLUTION
    twice = x + x
    return twice
    # END SOLUTION"""


def a_notebook(solution: str = SOLUTION, check: str = "checks.middle(low, high)") -> nbformat.NotebookNode:
    def tag(name: str) -> dict[str, list[str]]:
        return {"tags": [name]}

    return new_notebook(
        cells=[
            new_markdown_cell("# Title\n[next](01_b.ipynb)", id="cell-1"),
            new_code_cell(OPEN, id="cell-2"),
            new_markdown_cell("### Exercise 1", id="cell-3", metadata=tag("exercise")),
            new_markdown_cell("<details>a hint</details>", id="cell-4", metadata=tag("hint")),
            new_code_cell(solution, id="cell-5", metadata=tag("solution")),
            new_code_cell(check, id="cell-6", metadata=tag("check")),
            new_markdown_cell("Because.", id="cell-7", metadata=tag("solution")),
            new_code_cell("print('more')", id="cell-8", metadata=tag("solution")),
        ]
    )


def test_the_names_that_a_check_uses_become_dots() -> None:
    assert answer_names(SOLUTION, "checks.middle(high, low, half=given)") == ["low", "high"]
    blank = blank_answer(SOLUTION, "checks.middle(high, low)")
    assert blank == "given = 3\nlow = ...  # your answer here\nhigh = ...  # your answer here\nhigh"


def test_a_function_keeps_its_head() -> None:
    blank = blank_answer(FUNCTION, "checks.double(double)")
    assert blank == "def double(x):\n    '''Twice x.'''\n    return ...  # your answer here"
    space: dict[str, object] = {}
    exec(blank, space)
    assert space["double"](3) is ...  # type: ignore[operator]


def test_another_answer_takes_the_place_and_the_indent() -> None:
    assert fill_in(FUNCTION, "if x:\n    return 1\nreturn 2").splitlines()[2:] == [
        "    if x:",
        "        return 1",
        "    return 2",
    ]


def test_only_answers_are_taken_out() -> None:
    given = a_notebook()
    before = nbformat.writes(given)
    made = student_version(given, "00_a.ipynb", "https://github.com/a/b")
    nbformat.validate(made)
    assert nbformat.writes(given) == before, "the teacher's version is left alone"
    note, installing, *cells = made.cells
    assert installing.source == installing_cell("https://github.com/a/b")
    assert "`microx exercises`" in note.source and "../notebooks/00_a.ipynb" in note.source
    assert [cell.id for cell in cells] == [f"cell-{k}" for k in range(1, 7)]
    for k in (0, 2, 3, 5):
        assert cells[k] == given.cells[k]
    assert cells[1].source == OPEN.replace("seed=seed)", "seed=seed, student=True)")
    assert "half" not in cells[4].source


@pytest.mark.parametrize(
    ("solution", "check", "problem"),
    [
        ("# BEGIN SOLUTION\nx = 1", "checks.x(x)", "exactly one answer"),
        ("# BEGIN SOLUTION\nx = 1\n# END SOLUTION\n# BEGIN SOLUTION\ny = 1\n# END SOLUTION", "c(x)", "exactly one"),
        (SOLUTION, "checks.middle(given)", "uses no name that the answer assigns"),
    ],
)
def test_what_does_not_fit_together_is_refused(solution: str, check: str, problem: str) -> None:
    with pytest.raises(DataError, match=f"cell cell-5: .*{problem}"):
        student_version(a_notebook(solution, check), "00_a.ipynb")


def test_a_lesson_is_opened_once() -> None:
    given = a_notebook()
    given.cells[1].source = "pass"
    with pytest.raises(DataError, match="0 places"):
        student_version(given, "00_a.ipynb")


def test_writing_twice_changes_nothing_and_a_students_work_is_kept(tmp_path: Path) -> None:
    source, target = tmp_path / "notebooks", tmp_path / "exercises"
    source.mkdir()
    nbformat.write(a_notebook(), source / "00_a.ipynb")
    folders: dict[str, Any] = {"source": source, "target": target}
    assert save_exercises(a_course("00_a"), **folders) == [target / "00_a.ipynb"]
    assert save_exercises(a_course("00_a"), **folders) == []

    mine = nbformat.read(target / "00_a.ipynb", as_version=4)
    mine.cells[6].source = "low, high = 1, 2"
    mine.cells[6].execution_count = 1
    nbformat.write(mine, target / "00_a.ipynb")
    with pytest.raises(DataError, match=r"has been run.*--overwrite"):
        save_exercises(a_course("00_a"), **folders)
    assert "low, high = 1, 2" in (target / "00_a.ipynb").read_text(encoding="utf-8")
    assert save_exercises(a_course("00_a"), **folders, overwrite=True) == [target / "00_a.ipynb"]

    (target / "00_a.ipynb").write_text("<<<<<<< HEAD", encoding="utf-8")
    with pytest.raises(DataError, match=r"not readable as a notebook.*--overwrite"):
        save_exercises(a_course("00_a"), **folders)
    assert save_exercises(a_course("00_a"), **folders, overwrite=True) == [target / "00_a.ipynb"]


def test_exercises_are_those_of_the_notebooks(tmp_path: Path) -> None:
    """Fails after a change to a notebook until `microx exercises` has run."""
    course = load_course()
    save_exercises(course, target=tmp_path)
    names = [f"{entry.id}.ipynb" for entry in course.notebooks]
    assert sorted(path.name for path in paths.EXERCISES.glob("*.ipynb")) == names
    for name in names:
        shipped, made = ((folder / name).read_text(encoding="utf-8") for folder in (paths.EXERCISES, tmp_path))
        assert shipped == made, f"run `microx exercises`: {name} is another than notebooks/ gives"
