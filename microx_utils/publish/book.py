"""The book: a site of the executed notebooks, the gallery, the ledger and the functions, built by Sphinx, offline.

Its pages keep the places that the files have in the repository, so that links between them stay as they are.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from microx_utils.course import ledger, records
from microx_utils.course.architecture import PIPELINE, layers, read_parts
from microx_utils.course.outline import Course, Notebook
from microx_utils.publish import story
from microx_utils.publish.report import INSTALL, write_report
from microx_utils.publish.teaching import save_teaching
from microx_utils.support import paths
from microx_utils.support.errors import DataError

SETTINGS = paths.ROOT / "book"
SMOKE = " Its scores mean nothing: it shows that every cell runs. The gallery is of profile `class`."
FIGURE_CALL = "lesson.show("
SET_UP_CALL = " = open_lesson("
SET_UP_PROMPTS = {"code_prompt_show": "Show the set-up", "code_prompt_hide": "Hide the set-up"}


def executed_folder(course: Course, build: Path) -> Path | None:
    """Return the folder of executed notebooks on the sample, in the largest profile that has all of them."""
    for profile in ("class", "smoke"):
        folder = build / "notebooks" / records.run_name(profile, "sample")
        if all((folder / f"{notebook.id}.ipynb").is_file() for notebook in course.notebooks):
            return folder
    return None


def page_of(executed: Path, entry: Notebook, repository: str) -> nbformat.NotebookNode:
    """Return an executed notebook as the book shows it: how to open it; set-up and the code of its figures folded."""
    notebook = nbformat.read(executed, as_version=4)
    links = [f"{{download}}`Open this notebook <{executed.name}>`"]
    if repository:
        name = repository.removeprefix("https://github.com/")
        links.append(f"[in Colab](https://colab.research.google.com/github/{name}/blob/HEAD/exercises/{executed.name})")
        links.append(f"[in Binder](https://mybinder.org/v2/gh/{name}/HEAD?urlpath=lab/tree/exercises/{executed.name})")
    opening = nbformat.v4.new_markdown_cell(" · ".join(links), id="open-this-notebook")
    notebook.cells.insert(1, opening)
    for cell in notebook.cells:
        tags = cell.metadata.setdefault("tags", [])
        if cell.cell_type == "markdown":  # a file of the repository that is no page: a link to it there, or its words
            address = rf"[\1]({repository}/blob/HEAD/\2)" if repository else r"\1"
            cell.source = re.sub(r"\[([^\]]+)\]\(\.\./(?!figures/)([^)]+)\)", address, cell.source)
        if cell.cell_type == "code" and FIGURE_CALL in cell.source:
            tags.append("hide-input")
        if cell.cell_type == "code" and SET_UP_CALL in cell.source:
            tags.append("hide-input")
            cell.metadata["mystnb"] = SET_UP_PROMPTS
        if {"parameters", "injected-parameters"} & set(tags):  # the first page says in which profile all were made
            tags.append("remove-cell")
    return notebook


def reference_pages(folder: Path) -> list[str]:
    """Write a page of functions for the pipeline and for each folder of the package; return their names in order."""
    parts, order = read_parts(), [name for layer in layers() for name in layer]
    pages = {PIPELINE: [name for name in order if not parts[name].modules]}
    pages |= {name: [f"{name}.{inner}" for inner in parts[name].modules] for name in order if parts[name].modules}
    for page, modules in pages.items():
        heading = "The pipeline" if page == PIPELINE else f"{page}/"
        lines = [heading, "=" * len(heading), "" if page == PIPELINE else parts[page].purpose, ""]
        for module in modules:
            lines += [module, "-" * len(module), "", f".. automodule:: microx_utils.{module}", "   :members:", ""]
        (folder / f"{page}.rst").write_text("\n".join(lines), encoding="utf-8")
    return list(pages)


def write_source(course: Course, executed: Path, source: Path) -> None:
    """Write all pages of the book into a new folder."""
    profile = "class" if executed.name.startswith("class") else "smoke"
    for name in ("notebooks", "figures", "reference", "_static", "extra", "microx_utils"):
        (source / name).mkdir(parents=True)
    for file in ("conf.py", "book.css", "card.rst"):
        shutil.copyfile(SETTINGS / file, source / ("_static" if file.endswith("css") else "") / file)
    for entry in course.notebooks:
        page = page_of(executed / f"{entry.id}.ipynb", entry, course.repository)
        nbformat.write(page, source / "notebooks" / f"{entry.id}.ipynb")
    shutil.copytree(paths.REFERENCE, source / "figures", dirs_exist_ok=True, ignore=shutil.ignore_patterns("runs"))
    shutil.copyfile(paths.ROOT / "microx_utils" / "experiments.toml", source / "microx_utils" / "experiments.toml")
    save_teaching(course, source / "teaching")
    overview = source / "teaching" / "README.md"
    text = overview.read_text(encoding="utf-8").replace("../README.md#start-anywhere", "../index.md")
    overview.write_text(text, encoding="utf-8")
    pages = write_report(paths.REFERENCE, course, source / "extra" / "report", profile="class", data="sample")
    table = ledger.read_ledger(records.read_claims(paths.REFERENCE), course)
    text = (SETTINGS / "index.md").read_text(encoding="utf-8")
    filled = text.format(
        title=course.title,
        story=story.as_markdown(story.tell_story(table)),
        story_alt=story.story_alt(table),
        report=" or ".join(f"<a href='report/{page.name}'>{page.suffix[1:].upper()}</a>" for page in pages),
        first=course.notebooks[0].heading,
        first_id=course.notebooks[0].id,
        profile=profile,
        smoke=SMOKE if profile == "smoke" else "",
        notebooks="\n".join(f"notebooks/{entry.id}" for entry in course.notebooks),
        reference="\n".join(f"reference/{name}" for name in reference_pages(source / "reference")),
    )
    (source / "index.md").write_text(filled, encoding="utf-8")


def build_book(course: Course, executed: Path, target: Path) -> Path:
    """Build the site into `target`/html, whose pages need no server; return its first page.

    Raises
    ------
    DataError
        Sphinx is not installed, or warned about a page; its messages are in the error.
    """
    source, site, memory = target / "source", target / "html", target / "doctrees"
    for folder in (source, site, memory):
        shutil.rmtree(folder, ignore_errors=True)
    write_source(course, executed, source)
    sphinx = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
    done = subprocess.run([*sphinx, "-d", memory, source, site], capture_output=True, text=True, check=False)
    if "No module named sphinx" in done.stderr:
        raise DataError(SETTINGS, "needs Sphinx, which is not installed", INSTALL)
    if done.returncode:
        shutil.rmtree(site, ignore_errors=True)  # a site with faults is not left behind
        raise DataError(source, f"Sphinx refuses it:\n{done.stderr[-6000:]}", "Correct the page that is named.")
    return site / "index.html"
