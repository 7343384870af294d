"""The student's version of the notebooks: exercises/, made from notebooks/ with the answers blanked.

An exercise is a run of tagged cells: `exercise` (Markdown: what to do), `hint` (Markdown, folded), `solution` (code,
its answer between two marks) and `check` (code: calls a check of `microx_utils.checks`). An exercise without code is an
`exercise` cell and the cell of its question.
"""

import ast
import re
import textwrap
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from microx_utils.course.anywhere import installing_cell
from microx_utils.course.outline import Course
from microx_utils.support import cache, paths
from microx_utils.support.errors import DataError

STRICT = "MICROX_STRICT_CHECKS"
"""Environment variable: a check whose answer is not right stops the notebook. The runner sets it."""

BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"
BLOCK = re.compile(rf"^([ \t]*){BEGIN}\n(.*?)^[ \t]*{END}[ \t]*$", re.MULTILINE | re.DOTALL)
"""An answer: its indent, its lines."""

OPENING = re.compile(r"(open_lesson\([^()]*)\)")

NOTE = """\
> **Student's version**, made from [the complete notebook](../notebooks/{name}) by `microx exercises`. The exercises at
> its end wait for your answers, and a check below each says what is right or wrong about them. Work in a copy, or here;
> then `git checkout` brings the empty version back."""


def tags(cell: NotebookNode) -> list[str]:
    """Return a cell's tags."""
    return cell.metadata.get("tags", [])


def answer_names(solution: str, check: str) -> list[str]:
    """Return the names that a solution's answer assigns and its check uses, in the order of assignment."""
    used = {node.id for node in ast.walk(ast.parse(check)) if isinstance(node, ast.Name)}
    assigned: list[str] = []
    for _, lines in BLOCK.findall(solution):
        for statement in ast.parse(textwrap.dedent(lines)).body:
            if isinstance(statement, ast.FunctionDef):
                assigned.append(statement.name)
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                found = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
                assigned += [node.id for node in found if isinstance(node.ctx, ast.Store)]
    return [name for name in dict.fromkeys(assigned) if name in used]


def fill_in(solution: str, answer: str) -> str:
    """Return a solution cell with other lines for its answer; they are indented as the answer was."""
    return BLOCK.sub(lambda block: textwrap.indent(answer.rstrip(), block[1]), solution, count=1)


def blank_answer(solution: str, check: str) -> str:
    """Return a solution cell without its answer: its names, or what its function returns, are `...`.

    Raises
    ------
    ValueError
        The cell has not exactly one answer, or its check uses nothing of it.
    """
    blocks = BLOCK.findall(solution)
    if len(blocks) != 1 or solution.count(BEGIN) != 1 or solution.count(END) != 1:
        raise ValueError(f"needs exactly one answer between the lines {BEGIN!r} and {END!r}")
    if blocks[0][0]:
        return fill_in(solution, "return ...  # your answer here")
    names = answer_names(solution, check)
    if not names:
        raise ValueError("its check uses no name that the answer assigns")
    return fill_in(solution, "\n".join(f"{name} = ...  # your answer here" for name in names))


def student_version(notebook: NotebookNode, name: str, repository: str = "") -> NotebookNode:
    """Return a notebook (file NAME) with the answers blanked, and without whatever else is tagged `solution`.

    Its first code cell, folded away, installs the course from `repository` where it is missing, as on Colab.

    Raises
    ------
    DataError
        An exercise's cells don't fit together, or the notebook doesn't open its lesson in one place.
    """
    folded = {"jupyter": {"source_hidden": True}}
    cells = [
        nbformat.v4.new_markdown_cell(NOTE.format(name=name), id="student-version"),
        nbformat.v4.new_code_cell(installing_cell(repository), id="installing", metadata=folded),
    ]
    opened = 0
    for place, cell in enumerate(notebook.cells):
        kept = nbformat.from_dict(cell)
        if "solution" in tags(cell):
            if cell.cell_type != "code" or BEGIN not in cell.source:
                continue
            check = next((each for each in notebook.cells[place + 1 :] if "check" in tags(each)), None)
            try:
                kept.source = blank_answer(cell.source, check.source if check else "")
            except (ValueError, SyntaxError) as error:
                raise DataError(name, f"cell {cell.id}: {error}", "See CONTRIBUTING.md, Adding an exercise.") from error
        elif cell.cell_type == "code":
            kept.source, count = OPENING.subn(r"\1, student=True)", cell.source)
            opened += count
        cells.append(kept)
    if opened != 1:
        raise DataError(name, f"opens a lesson in {opened} places", "Call open_lesson exactly once.")
    return nbformat.from_dict({**notebook, "cells": cells})


def written(notebook: NotebookNode) -> str:
    """Return a notebook as its file holds it."""
    return nbformat.writes(notebook, version=4) + "\n"


def worked_in(path: Path) -> bool:
    """Return whether a notebook has been run: a student's answers may be in it. DataError if it can't be read."""
    if not path.is_file():
        return False
    try:
        cells = nbformat.read(path, as_version=4).cells
    except nbformat.reader.NotJSONError as error:
        raise DataError(path, "not readable as a notebook", "Give --overwrite, which makes it anew.") from error
    return any(cell.cell_type == "code" and (cell.outputs or cell.execution_count) for cell in cells)


def save_exercises(
    course: Course,
    *,
    source: Path = paths.NOTEBOOKS,
    target: Path = paths.EXERCISES,
    overwrite: bool = False,
) -> list[Path]:
    """Write the student's version of every notebook; return the files that changed.

    Raises
    ------
    DataError
        A notebook in `target` has been run or can't be read, and `overwrite` is not set; or an exercise is not well
        formed.
    """
    pages = {}
    for entry in course.notebooks:
        name = f"{entry.id}.ipynb"
        page = written(student_version(nbformat.read(source / name, as_version=4), name, course.repository))
        path = target / name
        if path.is_file() and path.read_text(encoding="utf-8") == page:
            continue
        if not overwrite and worked_in(path):
            remedy = "Move it elsewhere to keep the answers in it, or give --overwrite."
            raise DataError(path, "has been run since it was made", remedy)
        pages[path] = page
    target.mkdir(exist_ok=True)
    for path, page in pages.items():
        with cache.atomic_file(path) as temporary:
            temporary.write_text(page, encoding="utf-8", newline="\n")
    return list(pages)
