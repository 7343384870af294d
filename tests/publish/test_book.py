"""The book: which run it shows, what it does to a notebook, and a small site that Sphinx builds without a warning."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from microx_utils.course.outline import load_course
from microx_utils.publish import book

COURSE = load_course()
FIRST = COURSE.notebooks[0]
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
OTHER = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="


def executed(folder: Path) -> Path:
    """A notebook as a run leaves it, with a formula, two figures and what a widget leaves."""
    bar = nbformat.v4.new_output("stream", name="stderr", text="looking at clips: 100%")
    figures = [
        nbformat.v4.new_output(
            "display_data", {"image/png": picture}, metadata={"image/png": {"alt": alt, "width": 384}}
        )
        for picture, alt in ((PICTURE, "one grey dot"), (OTHER, "one white dot"))
    ]
    still = {"text/html": f'<img alt="a widget, standing still" src="data:image/png;base64,{PICTURE}">'}
    cells = [
        nbformat.v4.new_markdown_cell(
            "# 00 · Start here\n\nA formula, $c_2 = (f + 1)\\,i$; [data](../data/README.md).", id="cell-01"
        ),
        nbformat.v4.new_code_cell("profile = 'class'", id="default", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("profile = 'smoke'", id="given", metadata={"tags": ["injected-parameters"]}),
        nbformat.v4.new_code_cell(f'lesson = open_lesson("{FIRST.id}")', id="set-up", outputs=[bar]),
        nbformat.v4.new_markdown_cell("Its points shake by over 2\n% of the eye distance.", id="percent"),
        nbformat.v4.new_code_cell('lesson.show(fig, "extra_x")', id="cell-02", outputs=figures),
        nbformat.v4.new_code_cell("widget()", id="cell-03", outputs=[nbformat.v4.new_output("display_data", still)]),
    ]
    path = folder / f"{FIRST.id}.ipynb"
    about = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=about), path)
    return path


def test_the_largest_whole_run_is_shown(tmp_path: Path) -> None:
    assert book.executed_folder(COURSE, tmp_path) is None
    for profile in ("smoke", "class"):
        folder = tmp_path / "notebooks" / f"{profile}-sample"
        folder.mkdir(parents=True)
        for entry in COURSE.notebooks:
            found = book.executed_folder(COURSE, tmp_path)
            assert found is None if profile == "smoke" else found == tmp_path / "notebooks" / "smoke-sample"
            (folder / f"{entry.id}.ipynb").touch()
        assert book.executed_folder(COURSE, tmp_path) == folder


@pytest.mark.parametrize("repository", ["", "https://github.com/a/b"])
def test_a_page_opens_its_notebook_and_folds_the_code_of_its_figures(tmp_path: Path, repository: str) -> None:
    page = book.page_of(executed(tmp_path), FIRST, repository)
    opening = page.cells[1].source
    assert f"Open this notebook <{FIRST.id}.ipynb>" in opening
    assert opening.count("](https://") == (2 if repository else 0)
    file = "[data](https://github.com/a/b/blob/HEAD/data/README.md)" if repository else "; data."
    assert file in page.cells[0].source
    tags = {cell.id: cell.metadata.get("tags", []) for cell in page.cells}
    assert "hide-input" in tags["cell-02"] and "hide-input" in tags["set-up"] and "hide-input" not in tags["cell-03"]
    assert "remove-cell" in tags["given"] and "remove-cell" in tags["default"]


def test_the_pipeline_comes_first_and_no_module_is_left_out(tmp_path: Path) -> None:
    names = book.reference_pages(tmp_path)
    assert names[0] == "pipeline"
    listed = {name: re.findall(r"automodule:: (\S+)", (tmp_path / f"{name}.rst").read_text("utf-8")) for name in names}
    assert [name.rpartition(".")[2] for name in listed["pipeline"]][:3] == ["labels", "video", "landmarks"]
    package = Path(book.__file__).parents[1]
    modules = {
        ".".join(("microx_utils", *path.relative_to(package).with_suffix("").parts))
        for path in package.rglob("*.py")
        if path.stem != "__init__"
    }
    assert {module for found in listed.values() for module in found} == modules


def test_a_small_site_is_built_offline_and_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="no Sphinx: pip install -r requirements-book.txt")
    pytest.importorskip("myst_nb", reason="no myst-nb: pip install -r requirements-book.txt")
    source, site = tmp_path / "source", tmp_path / "site"
    for folder in ("_static", "extra"):
        (source / folder).mkdir(parents=True)
    shutil.copy(book.SETTINGS / "conf.py", source)
    shutil.copy(book.SETTINGS / "book.css", source / "_static")
    nbformat.write(book.page_of(executed(tmp_path), FIRST, ""), source / f"{FIRST.id}.ipynb")
    api = ".. automodule:: microx_utils.labels\n   :members:\n"
    (source / "index.rst").write_text(f"Title\n=====\n\n.. toctree::\n\n   {FIRST.id}\n\n{api}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", source, site], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    page = (site / f"{FIRST.id}.html").read_text(encoding="utf-8")
    assert "<math" in page and "Show the code of this figure" in page and "a widget, standing still" in page
    assert "Show the set-up" in page and "looking at clips" not in page
    assert "% of the eye distance" in page, "a line that starts with a percent sign is no comment"
    figures = re.findall(r'<a [^>]*href="(_images/\S+)"><img alt="(one \w+ dot)"[^>]* src="(_images/\S+)"', page)
    assert [alt for _, alt, _ in figures] == ["one grey dot", "one white dot"]
    assert all(link == shown for link, _, shown in figures), "a figure opens in full by a click"
    assert re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?://', page) == []
    assert "EMOTIONS" in (site / "index.html").read_text(encoding="utf-8")
