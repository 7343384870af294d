"""The notebooks as shipped: what each must hold; then all of them, run from nothing in the smoke profile."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from solve_exercises import names_of

from microx_utils.course import records
from microx_utils.course.exercises import BEGIN, tags
from microx_utils.course.outline import Notebook, load_course, time_line
from microx_utils.course.runner import check_notebook, literal_parameters
from microx_utils.support import paths

COURSE = load_course()
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){0,4}")


@pytest.fixture(params=COURSE.notebooks, ids=lambda notebook: notebook.id)
def entry(request: pytest.FixtureRequest) -> Notebook:
    return request.param


@pytest.fixture
def notebook(entry: Notebook) -> nbformat.NotebookNode:
    path = paths.NOTEBOOKS / f"{entry.id}.ipynb"
    assert path.is_file(), f"course.toml lists {entry.id}, notebooks/ does not have it"
    loaded = nbformat.read(path, as_version=4)
    nbformat.validate(loaded)
    return loaded


def code_cells(notebook: nbformat.NotebookNode) -> Iterator[tuple[str, ast.Module]]:
    """Yield id and syntax tree of each code cell; a cell that is not plain Python is an error."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield cell.id, ast.parse(cell.source, filename=cell.id)


def calls(notebook: nbformat.NotebookNode, name: str) -> Iterator[ast.Call]:
    """Yield every call of a function of that name, or of the lesson's method."""
    for _, tree in code_cells(notebook):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (name, f"lesson.{name}"):
                yield node


def literal_strings(notebook: nbformat.NotebookNode) -> tuple[set[str], list[re.Pattern[str]]]:
    """Return the strings written in a notebook's code, and for each f-string what those strings can make of it.

    `f"table_1_{metric}"` can be table_1_recall only where "recall" is written, too. Strings of the prose or of an
    f-string's fixed parts don't count.
    """
    nodes = [node for _, tree in code_cells(notebook) for node in ast.walk(tree)]
    joined = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    fixed = {id(part) for node in joined for part in node.values}
    written = {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in fixed
    }
    filled = "|".join(re.escape(text) for text in sorted(written) if text)
    made = [
        "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else f"(?:{filled})" for part in node.values
        )
        for node in joined
    ]
    return written, [re.compile(pattern) for pattern in made]


def unwritten(notebook: nbformat.NotebookNode, ids: Iterable[str]) -> set[str]:
    """Return the ids that the notebook's code neither writes out nor can make with an f-string."""
    written, made = literal_strings(notebook)
    return {name for name in ids if name not in written and not any(pattern.fullmatch(name) for pattern in made)}


def literal_arguments(notebook: nbformat.NotebookNode, name: str, *, position: int = 0) -> tuple[set[str], bool]:
    """Return a function's literal arguments at a position, and whether all calls have one there."""
    given = [call.args[position] if len(call.args) > position else None for call in calls(notebook, name)]
    literal = {arg.value for arg in given if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    return literal, all(isinstance(arg, ast.Constant) for arg in given)


def headings(notebook: nbformat.NotebookNode) -> list[str]:
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return [line for text in texts for line in text.splitlines() if line.startswith("#")]


PLUMBING = re.compile(
    r"draw_\w+|print|display|lesson\.(show|record_claim)|.+\.imshow|(plt|ax|axes|fig|grid)\b.*|.*\.style\..*"
)
"""Calls that draw, save, record or print."""
WORDING = {"alt", "caption", "title"}
"""Variables that hold a figure's texts."""


def plumbing_lines(notebook: nbformat.NotebookNode) -> tuple[int, int]:
    """Return how many lines of code are plumbing, and how many there are, without comments between statements.

    Plumbing is a statement, with all its lines, that calls one of PLUMBING or assigns to one of WORDING. Of a loop, a
    condition or a function only the head counts as its own line, and never as plumbing.
    """
    lines = plumbing = 0
    for _, tree in code_cells(notebook):
        for node in ast.walk(tree):
            if not isinstance(node, ast.stmt):
                continue
            body = getattr(node, "body", None)
            count = (body[0].lineno if body else (node.end_lineno or node.lineno) + 1) - node.lineno
            parts = list(ast.walk(node))
            called = [ast.unparse(part.func) for part in parts if isinstance(part, ast.Call)]
            assigned = {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
            lines += count
            if not body and (WORDING & assigned or any(map(PLUMBING.fullmatch, called))):
                plumbing += count
    return plumbing, lines


def test_cells_are_short(notebook: nbformat.NotebookNode) -> None:
    long = {cell.id: len(cell.source.splitlines()) for cell in notebook.cells if cell.cell_type == "code"}
    assert not {name: lines for name, lines in long.items() if lines > 30}, "split them, one idea per cell"


def test_a_reader_sees_more_than_plumbing() -> None:
    """At most a fifth of the course's lines of code is plumbing, and at most a quarter of one notebook's."""
    found = [
        plumbing_lines(nbformat.read(paths.NOTEBOOKS / f"{entry.id}.ipynb", as_version=4)) for entry in COURSE.notebooks
    ]
    shares = {entry.id: plumbing / lines for entry, (plumbing, lines) in zip(COURSE.notebooks, found, strict=True)}
    advice = "draw by one call of `plots`, and show tables as DataFrames"
    assert sum(plumbing for plumbing, _ in found) / sum(lines for _, lines in found) <= 0.2, advice
    assert not {name: share for name, share in shares.items() if share > 0.25}, advice


def test_plumbing_is_counted_by_lines_of_statements() -> None:
    code = (
        'for k in range(3):\n    x = k\n    ax.plot(\n        x\n    )\nalt = "A line."\nlesson.show(ax, "figure_09")'
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"{code}\n\n# print(x)\nprinted = x")])
    assert plumbing_lines(notebook) == (5, 8)


def test_course_and_folder_agree() -> None:
    shipped = sorted(path.stem for path in paths.NOTEBOOKS.glob("*.ipynb"))
    assert shipped == [entry.id for entry in COURSE.notebooks]


def test_runs_with_the_three_parameters(entry: Notebook, notebook: nbformat.NotebookNode) -> None:
    check_notebook(paths.NOTEBOOKS / f"{entry.id}.ipynb", {"profile": "smoke", "data": "sample", "seed": 0})
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert literal_parameters(cell.source) == {"profile": "class", "data": "sample", "seed": 0}


def test_no_outputs_no_widget_state_no_random_ids(notebook: nbformat.NotebookNode) -> None:
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        assert not RANDOM_ID.fullmatch(cell.id), f"cell id {cell.id!r} would change with every regeneration"
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


def test_opening(entry: Notebook, notebook: nbformat.NotebookNode) -> None:
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    lines = first.source.splitlines()
    assert lines[0] == f"# {entry.number} · {entry.title}"
    assert any(line.startswith("**Paper** ") for line in lines)
    assert any(line.startswith("**Needs** ") for line in lines)
    assert "**You will learn**" in lines
    assert 2 <= sum(line.startswith("- ") for line in lines) <= 6, "two to six things to learn"
    assert time_line(entry) in lines, "run `microx gallery`, which fills the time in from course.toml"


def test_lesson_is_opened_right_after_the_parameters(entry: Notebook, notebook: nbformat.NotebookNode) -> None:
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert "parameters" in codes[0].metadata.get("tags", [])
    assert f'open_lesson("{entry.id}", profile=profile, data=data, seed=seed)' in codes[1].source


def test_closing(entry: Notebook, notebook: nbformat.NotebookNode) -> None:
    titles = [line.lstrip("# ").lower() for line in headings(notebook)]
    for wanted in ("recap", "limits", "exercises"):
        assert wanted in titles, f"no heading {wanted!r}"
    last = notebook.cells[-1]
    assert last.cell_type == "markdown"
    place = COURSE.notebooks.index(entry)
    for neighbour in (*COURSE.notebooks[max(place - 1, 0) : place], *COURSE.notebooks[place + 1 : place + 2]):
        assert f"[{neighbour.heading}]({neighbour.id}.ipynb)" in last.source


def test_one_question_is_worth_an_argument(notebook: nbformat.NotebookNode) -> None:
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    asked = re.findall(r"^\*\*Argue\.\*\* .+?(?=\n\n|\Z)", text, flags=re.M | re.S)
    assert len(asked) == 1 and "?" in asked[0]


def test_links_lead_somewhere(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#\s]+)", cell.source):
                if not target.startswith(("http://", "https://", "attachment:")):
                    assert (paths.NOTEBOOKS / target).exists(), f"{cell.id} links to {target}"


def test_markdown_pictures_have_alt_text(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert "![](" not in cell.source, cell.id
            assert all("alt=" in tag for tag in re.findall(r"<img[^>]*>", cell.source)), cell.id


def test_every_saved_figure_is_described_and_declared(entry: Notebook, notebook: nbformat.NotebookNode) -> None:
    for call in calls(notebook, "show"):
        assert "alt" in [keyword.arg for keyword in call.keywords], f"line {call.lineno}: {ast.unparse(call)[:80]}"
    saved, complete = literal_arguments(notebook, "show", position=1)
    assert saved <= set(entry.figures), "declare them in course.toml"
    missing = set(entry.figures) - saved
    assert not (missing if complete else unwritten(notebook, missing)), "declared in course.toml, and not saved"


def test_every_recorded_claim_is_declared(entry: Notebook, notebook: nbformat.NotebookNode) -> None:
    recorded, complete = literal_arguments(notebook, "record_claim")
    assert recorded <= set(entry.claims), "declare them in course.toml"
    missing = set(entry.claims) - recorded
    assert not (missing if complete else unwritten(notebook, missing)), "declared in course.toml, and not recorded"


def test_widget_cells_record_nothing(notebook: nbformat.NotebookNode) -> None:
    """Their code isn't part of what figures and claims are said to come from."""
    for cell in notebook.cells:
        if "widget" in tags(cell):
            assert not re.search(r"lesson\.(show|record_claim)\(", cell.source), cell.id


def test_an_id_counts_only_where_the_code_can_make_it() -> None:
    code = 'for metric in ("recall", "uar"):\n    lesson.record_claim(f"table_1_{metric}", 1)\nname = "figure_09"'
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code), nbformat.v4.new_markdown_cell("gone")])
    assert not unwritten(notebook, ["table_1_recall", "table_1_uar", "figure_09"])
    assert unwritten(notebook, ["table_1_fscore", "table_1_", "gone"]) == {"table_1_fscore", "table_1_", "gone"}


def exercise_cells(notebook: nbformat.NotebookNode) -> list[list[nbformat.NotebookNode]]:
    """Return the cells of each exercise, in order: from its `exercise` cell to the next, or to the notebook's end."""
    found: list[list[nbformat.NotebookNode]] = []
    for cell in notebook.cells:
        if "exercise" in tags(cell):
            found.append([])
        if found:
            found[-1].append(cell)
    return found


def test_exercises_are_complete(entry: Notebook, notebook: nbformat.NotebookNode) -> None:
    """Two or three, numbered; one of them needs no code, each of the others a hint, an answer and its check.

    Notebook 14 consists of them: one for each of its four labs, and one without code.
    """
    exercises = exercise_cells(notebook)
    without_code = 0
    for number, cells in enumerate(exercises, 1):
        assert re.match(rf"### Exercise {number} · [A-Z]\S+\n", cells[0].source), cells[0].source[:60]
        codes = [cell for cell in cells if cell.cell_type == "code"]
        if codes[0].source.startswith("predict_choice("):
            without_code += 1
            continue
        kinds = [(tags(cell) or [""])[0] for cell in cells[:4]]
        assert kinds == ["exercise", "hint", "solution", "check"], f"exercise {number} has {kinds}"
        assert BEGIN in cells[2].source
        assert cells[1].source.startswith("<details><summary>Hint</summary>\n\n")
        assert cells[3].source.startswith("checks."), "its last line calls the check, which says what is wrong"
    assert 2 <= len(exercises) <= (5 if entry.id == "14_something_is_wrong" else 3)
    assert without_code >= 1


def test_nothing_needs_an_answer_but_its_check(notebook: nbformat.NotebookNode) -> None:
    """A student's version has to run before its exercises are answered."""
    answers: set[str] = set()
    for cell in notebook.cells:
        if cell.cell_type == "code" and "check" not in tags(cell) and "solution" not in tags(cell):
            assert not (answers & names_of(cell.source).read), cell.id
        if "solution" in tags(cell) and cell.cell_type == "code":
            answers |= names_of(cell.source).made


@dataclass(frozen=True)
class SmokeRun:
    """What `microx figures --profile smoke` left behind, and when it began."""

    outcome: subprocess.CompletedProcess[str]
    began: float
    times: dict[str, Any]


@pytest.fixture(scope="module")
def smoke(processed: Path) -> SmokeRun:
    """Run every notebook with empty caches, and without the figures and claims of an earlier run."""
    folder = records.output_folder("smoke", "sample")
    assert folder.is_relative_to(paths.FIGURES / "runs"), "never the committed reference"
    shutil.rmtree(folder, ignore_errors=True)
    environment = os.environ | {"MICROX_PROCESSED": str(processed)}
    began = time.time()
    outcome = subprocess.run(
        [sys.executable, "-m", "microx_utils.tools.cli", "figures", "--profile", "smoke"],
        cwd=paths.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1400,
    )
    times = records.read_json(paths.BUILD / "notebooks" / "smoke-sample" / "times.json")
    return SmokeRun(outcome, began, times.get("notebooks", {}))


@pytest.mark.notebooks
@pytest.mark.timeout(1500)
def test_all_notebooks_run_from_nothing(smoke: SmokeRun) -> None:
    said = f"{smoke.outcome.stdout}\n{smoke.outcome.stderr}"
    assert smoke.outcome.returncode == 0, said
    assert {name: row["ok"] for name, row in smoke.times.items()} == {entry.id: True for entry in COURSE.notebooks}, (
        said
    )


@pytest.mark.notebooks
def test_every_declared_figure_was_drawn(smoke: SmokeRun, entry: Notebook) -> None:
    folder = records.output_folder("smoke", "sample")
    rows = records.read_figures(folder)
    for name in entry.figures:
        assert name in rows, f"{name} was not saved"
        picture = folder / rows[name]["file"]
        assert picture.stat().st_mtime > smoke.began - 2, f"{name} is from an earlier run"
        assert (rows[name]["notebook"], rows[name]["profile"], rows[name]["data"]) == (entry.id, "smoke", "sample")


@pytest.mark.notebooks
def test_every_declared_claim_was_recorded(smoke: SmokeRun, entry: Notebook) -> None:
    rows = records.read_claims(records.output_folder("smoke", "sample"))
    assert set(entry.claims) <= rows.keys()
    assert smoke.outcome.returncode == 0 or entry.claims == ()


@pytest.mark.notebooks
def test_executed_notebooks_are_quiet(smoke: SmokeRun, entry: Notebook) -> None:
    """No warnings in what learners read, and a page for readers without Jupyter."""
    folder = paths.BUILD / "notebooks" / "smoke-sample"
    executed = json.loads((folder / f"{entry.id}.ipynb").read_text(encoding="utf-8"))
    assert (folder / f"{entry.id}.html").stat().st_mtime > smoke.began - 2
    for cell in executed["cells"]:
        for output in cell.get("outputs", []):
            assert output["output_type"] != "error", cell["id"]
            if output.get("name") == "stderr":
                assert "Warning" not in "".join(output["text"]), f"{cell['id']}: {''.join(output['text'])[:400]}"
