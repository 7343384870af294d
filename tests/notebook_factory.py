"""Small notebooks and courses for the tests of the runner and the command line."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from microx_utils.course.outline import Course, Notebook

GOOD = 'profile = "class"\ndata = "sample"\nseed = 0'
GIVEN = {"profile": "smoke", "data": "sample", "seed": 0}


def write_notebook(path: Path, *code: str, parameters: str | None = GOOD, kernel: bool = True) -> Path:
    """Write a notebook: a heading, the parameters cell (unless None), then code cells."""
    cells = [new_markdown_cell("# Title", id="title")]
    if parameters is not None:
        cells.append(new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]}))
    cells += [new_code_cell(source, id=f"code-{place}") for place, source in enumerate(code)]
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}} if kernel else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata=spec), path)
    return path


def a_course(*names: str) -> Course:
    return Course("T", tuple(Notebook(name, name, "I", 1, {}, (), (), (), ()) for name in names))
