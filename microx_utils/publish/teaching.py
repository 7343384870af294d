"""The teacher's pages: plans, misconceptions, a rubric, slides and a handout, from course.toml and the notebooks.

In the checkout (teaching/) slides and handout refer to the pictures in figures/; elsewhere they hold them.
"""

import base64
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from microx_utils.course import paper, records
from microx_utils.course.architecture import layers, read_parts
from microx_utils.course.outline import COURSE_FILE, Course, Notebook
from microx_utils.support import cache, paths
from microx_utils.support.errors import blamed_on

TEMPLATES = Path(__file__).with_name("templates")
TEACHING = paths.ROOT / "teaching"
CLOSING = ("Recap", "Limits", "Exercises")
MOST_BULLETS = 6
"""Of a slide."""


@dataclass
class Slide:
    """A heading, what stands below it (Markdown), a recorded figure's id, and what the teacher says (Markdown)."""

    heading: str
    text: str = ""
    figure: str = ""
    notes: list[str] = field(default_factory=list)


def read_plans(course: Course, path: Path = COURSE_FILE) -> dict[str, Any]:
    """Return the plans, misconceptions and rubric of course.toml, checked against the notebooks.

    Raises
    ------
    DataError
        A notebook or a cell that they name does not exist, or the steps of a plan take another time than it says.
    """
    with blamed_on(path):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        for row in [*document["misconceptions"], *(step for plan in document["plans"] for step in plan["steps"])]:
            cells = row.get("cells", [])
            known = {cell["id"] for cell in _cells(course.notebook(row["notebook"]))} if "notebook" in row else set()
            missing = [cell for cell in cells if cell not in known]
            if missing:
                raise ValueError(f"{row['notebook']} has no cells {missing}, which a plan or a misconception names")
        for plan in document["plans"]:
            taken = sum(step["minutes"] for step in plan["steps"])
            if taken != plan["minutes"]:
                raise ValueError(f"the steps of {plan['title']!r} take {taken} minutes instead of {plan['minutes']}")
    return {key: document[key] for key in ("plans", "misconceptions", "rubric")}


def _cells(entry: Notebook) -> list[nbformat.NotebookNode]:
    return nbformat.read(paths.NOTEBOOKS / f"{entry.id}.ipynb", as_version=4).cells


def places(course: Course, row: Mapping[str, Any]) -> str:
    """Return where a plan or a misconception leads: its notebook, and its cells with the headings they stand under."""
    if "notebook" not in row:
        return "–"
    entry = course.notebook(row["notebook"])
    heading: str = ""
    under: dict[str, list[str]] = {}
    for cell in _cells(entry):
        found = re.findall(r"^#{2,3} (.+)", cell.source, flags=re.M) if cell.cell_type == "markdown" else []
        under.setdefault((found or [heading])[0], []).append(cell.id)
        heading = (found or [heading])[-1]
    said = [
        f"{heading} ({' '.join(f'`{cell}`' for cell in cells if cell in row['cells'])})"
        for heading, cells in under.items()
        if set(cells) & set(row.get("cells", ()))
    ]
    return ", ".join([f"[{entry.number}](../notebooks/{entry.id}.ipynb)", *said])


def goals(entry: Notebook) -> list[str]:
    """Return what a notebook says that one will learn, in Markdown."""
    opening = _cells(entry)[0].source
    listed = opening.split("**You will learn**")[1].split("\n\n")[0]
    return [" ".join(goal.split()) for goal in re.split(r"^- ", listed, flags=re.M)[1:]]


def slides(entry: Notebook) -> list[Slide]:
    """Return the slides of a notebook: its goals, one for each section and each further figure, and its recap.

    A slide holds the section's question and a figure; all that the notebook says in words is in the notes. An exercise
    within a section has a slide of its own, before the figures that give its answer.
    """
    cells = _cells(entry)
    deck = [Slide("You will learn", "\n".join(f"- {goal}" for goal in goals(entry)))]
    for cell in cells[1:]:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code":
            drawn = [name for name in entry.figures if f'"{name}"' in cell.source]
            for name in drawn:
                if deck[-1].figure:
                    deck.append(Slide(deck[-1].heading))
                deck[-1].figure = name
            continue
        if "exercise" in tags and deck[-1].heading != "Exercises":
            title, _, task = cell.source.removeprefix("### ").partition("\n")
            deck += [Slide(title, task), Slide(deck[-1].heading)]
        if {"exercise", "hint", "solution"} & set(tags):
            continue
        for part in re.split(r"^(?=## )", cell.source, flags=re.M):
            heading, _, text = part.partition("\n") if part.startswith("## ") else ("", "", part)
            if heading:
                deck.append(Slide(heading.removeprefix("## ")))
            if deck[-1].heading in CLOSING:
                deck[-1].text += text
            else:
                _tell(deck[-1], text)
    return [slide for slide in deck if (slide.text.strip() or slide.figure) and slide.heading != "Exercises"]


def _tell(slide: Slide, text: str) -> None:
    """Put the question of a piece of text on a slide that has none yet, and all of the text into its notes.

    A question starts with **Predict** or **Diagnose**, and goes on through a list that follows.
    """
    question = re.search(r"\*\*(?:Predict|Diagnose)\.?\*\*.*?(?=\n\n(?!\d\. |- )|\Z)", text, re.S)
    if question and not slide.text:
        slide.text = question[0]
    if text.strip():
        slide.notes.append(text.strip())


class Pictures:
    """How the pages of a folder show figures: by their place in the checkout or, elsewhere, as part of the page."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = records.read_figures(paths.REFERENCE)

    def __call__(self, name: str, page: str) -> dict[str, str] | None:
        """Return the src and alt of a figure for a page of the folder; None if it is not recorded."""
        if name not in self.rows:
            return None
        file = paths.REFERENCE / self.rows[name]["file"]
        if self.folder.is_relative_to(paths.ROOT) and not self.folder.is_relative_to(paths.ROOT / "build"):
            src = os.path.relpath(file, (self.folder / page).parent).replace(os.sep, "/")
        else:
            src = f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"
        return {"src": src, "alt": self.rows[name]["alt"]}


def as_html(text: str) -> Markup:
    """Return Markdown as HTML; links to notebooks lead nowhere from a slide, so only their words stay."""
    return Markup(markdown2html_mistune(re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)))


def pages(course: Course, folder: Path) -> dict[str, str]:
    """Return all of the teacher's pages, file name -> text; equal inputs give equal text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
    )
    environment.filters["html"] = as_html
    environment.filters["places"] = lambda row: places(course, row)
    environment.filters["oneline"] = lambda text: " ".join(text.split())
    shown = Pictures(folder)
    plans = read_plans(course)
    common: Mapping[str, Any] = {
        "course": course,
        "goals": {entry.id: goals(entry) for entry in course.notebooks},
        "up": "..",
        **plans,
    }
    made = {
        name: environment.get_template(f"{name}.j2").render(common)
        for name in ("README.md", "plans.md", "misconceptions.md", "rubric.md")
    }
    parts = read_parts()
    steps = [name for layer in layers() for name in layer if name in parts and not parts[name].modules]
    made["handout.html"] = environment.get_template("handout.html.j2").render(
        common,
        steps=[{"name": name, "purpose": parts[name].purpose} for name in steps],
        protocol=paper.protocol(),
        pipeline=shown("extra_pipeline", "handout.html"),
        components=shown("extra_components", "handout.html"),
    )
    for entry in course.notebooks:
        page = f"slides/{entry.id}.html"
        deck = [(slide, shown(slide.figure, page) if slide.figure else None) for slide in slides(entry)]
        made[page] = environment.get_template("slides.html.j2").render(common, entry=entry, deck=deck)
    return made


def save_teaching(course: Course, folder: Path = TEACHING) -> list[Path]:
    """Write the teacher's pages into a folder, remove slides of notebooks that are gone; return what changed."""
    wanted = pages(course, folder)
    changed = []
    for name, text in wanted.items():
        page = folder / name
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            with cache.atomic_file(page) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")
            changed.append(page)
    for page in sorted((folder / "slides").glob("*.html")):
        if f"slides/{page.name}" not in wanted:
            page.unlink()
            changed.append(page)
    return changed
