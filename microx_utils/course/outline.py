"""The course's outline, course.toml: notebooks in order, the figures and claims each must record, and the widgets."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microx_utils.course import paper
from microx_utils.course.claims import load_claims
from microx_utils.experiments import PROFILES
from microx_utils.support import cache, paths
from microx_utils.support.errors import DataError, blamed_on

COURSE_FILE = paths.ROOT / "course.toml"
REPOSITORY = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+(?<!\.git)")


@dataclass(frozen=True)
class Notebook:
    """One notebook of course.toml, whose comments say what each field means. Times are minutes."""

    id: str
    title: str
    section: str
    study_minutes: int
    run_minutes: dict[str, float]
    figures: tuple[str, ...]
    tables: tuple[int, ...]
    claims: tuple[str, ...]
    needs: tuple[str, ...]
    last: int = 0

    @property
    def number(self) -> str:
        """The two digits that its name starts with."""
        return self.id[:2]

    @property
    def topic(self) -> str:
        """Its name without the number."""
        return self.id[3:]

    @property
    def heading(self) -> str:
        """Number and title, as links to it read: "06 · Evaluation"."""
        return f"{self.number} · {self.title}"


@dataclass(frozen=True)
class Widget:
    """One widget of course.toml: the module of that name in `microx_utils.widgets`, and the notebooks that show it."""

    id: str
    title: str
    notebooks: tuple[str, ...]
    alt: str

    @property
    def screenshot(self) -> str:
        """Its picture's path in the figures folder; its browser test makes it."""
        return f"widgets/{self.id}.png"


@dataclass(frozen=True)
class Course:
    """The notebooks in reading order, and the widgets in them."""

    title: str
    notebooks: tuple[Notebook, ...]
    widgets: tuple[Widget, ...] = ()
    repository: str = ""  # https://github.com/<owner>/<name>; empty while it is not known

    def notebook(self, name: str) -> Notebook:
        """Return a notebook by its id."""
        for notebook in self.notebooks:
            if notebook.id == name:
                return notebook
        raise ValueError(f"unknown notebook {name!r}; choose from {[notebook.id for notebook in self.notebooks]}")

    def select(self, only: str | None) -> tuple[Notebook, ...]:
        """Return the notebooks that a comma-separated list names, in the course's order; all for None.

        A notebook may be named by number ("03" or "3"), by topic ("training") or by id.

        Raises
        ------
        ValueError
            A name fits no notebook; the message lists the choices.
        """
        if only is None:
            return self.notebooks
        wanted = [name.strip() for name in only.split(",") if name.strip()]
        chosen: set[str] = set()
        for name in wanted:
            number = name.zfill(2) if name.isascii() and name.isdigit() else None
            fits = [each for each in self.notebooks if each.number == number or name in (each.id, each.topic)]
            if not fits:
                choices = ", ".join(f"{each.number} ({each.topic})" for each in self.notebooks)
                raise ValueError(f"no notebook {name!r}; choose from {choices}")
            chosen.update(each.id for each in fits)
        if not chosen:
            raise ValueError(f"--only is {only!r}; name at least one notebook, for instance 03,06")
        return tuple(each for each in self.notebooks if each.id in chosen)


def parse_notebook(row: dict[str, Any]) -> Notebook:
    """Return the notebook that a row of course.toml describes; ValueError if a key is missing, unknown or wrong."""
    known = set(Notebook.__dataclass_fields__)
    wanted = known - {"last"}
    name = row.get("id", "?")
    if not wanted <= row.keys() <= known:
        missing, unknown = sorted(wanted - row.keys()), sorted(row.keys() - known)
        raise ValueError(f"notebook {name!r} in course.toml: missing keys {missing}, unknown keys {unknown}")
    if not (name[:2].isdigit() and name[2:3] == "_" and name[3:].isidentifier()):
        raise ValueError(f"notebook {name!r} in course.toml: an id is two digits, an underscore and a topic")
    if tuple(row["run_minutes"]) != PROFILES:
        raise ValueError(f"notebook {name!r} in course.toml: run_minutes needs the profiles {PROFILES}")
    for figure in row["figures"]:
        if not figure.startswith("extra_"):
            paper.reference(figure)  # raises for a figure that the paper does not have
    for table in row["tables"]:
        paper.table(table)
    unknown = sorted(set(row["claims"]) - load_claims().keys())
    if unknown:
        raise ValueError(f"notebook {name!r} in course.toml: claims {unknown} are not in claims.toml")
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Notebook(**fields)


def parse_widget(row: dict[str, Any], notebooks: Sequence[str]) -> Widget:
    """Return the widget that a row of course.toml describes; ValueError if a key is missing, unknown or wrong."""
    wanted, name = Widget.__dataclass_fields__.keys(), row.get("id", "?")
    if row.keys() != wanted:
        raise ValueError(f"widget {name!r} in course.toml: it has the keys {[*row]} instead of {[*wanted]}")
    unknown = [each for each in row["notebooks"] if each not in notebooks]
    if unknown or not row["notebooks"]:
        raise ValueError(f"widget {name!r} in course.toml: it needs notebooks of the course; unknown are {unknown}")
    if not name.isidentifier() or len(row["alt"]) < 20:
        raise ValueError(f"widget {name!r} in course.toml: an id is a module's name, alt has at least 20 characters")
    return Widget(name, row["title"], tuple(row["notebooks"]), row["alt"])


def load_course(path: Path = COURSE_FILE) -> Course:
    """Return the course that a TOML file describes.

    Raises
    ------
    DataError
        An entry is incomplete, an id occurs twice, or a notebook needs one that comes later.
    """
    with blamed_on(path):
        return _parse_course(tomllib.loads(path.read_text(encoding="utf-8")))


def _parse_course(document: dict[str, Any]) -> Course:
    notebooks = tuple(parse_notebook(row) for row in document["notebooks"])
    for what in ("figures", "claims"):
        ids = [each for notebook in notebooks for each in getattr(notebook, what)]
        if len(ids) != len(set(ids)):
            raise ValueError(f"{what} that occur twice: {sorted({i for i in ids if ids.count(i) > 1})}")
    seen: list[str] = []
    for notebook in notebooks:
        if notebook.id in seen or not set(notebook.needs) <= set(seen):
            raise ValueError(f"{notebook.id} occurs twice, or needs one that comes later: {notebook.needs}")
        seen.append(notebook.id)
    widgets = tuple(parse_widget(row, seen) for row in document.get("widgets", []))
    if len({widget.id for widget in widgets}) < len(widgets):
        raise ValueError(f"a widget occurs twice among {[widget.id for widget in widgets]}")
    repository = document["repository"]
    if repository and not REPOSITORY.fullmatch(repository):
        raise ValueError(f"repository is {repository!r}, not https://github.com/<owner>/<name>")
    return Course(document["title"], notebooks, widgets, repository)


def time_line(notebook: Notebook) -> str:
    """Return the line of a notebook's opening that says how long it takes; profiles not measured yet are left out."""
    line = f"**Time** about {notebook.study_minutes} minutes to work through"
    measured = [(name, notebook.run_minutes[name]) for name in ("class", "smoke") if notebook.run_minutes.get(name)]
    if measured:
        runs = " or ".join(f"{duration(minutes)} in `{name}`" for name, minutes in measured)
        line += f"; running it takes {runs}, on two cores"
    return line


def duration(minutes: float) -> str:
    """Return a time in minutes as a reader says it.

    >>> duration(0.5), duration(2.5)
    ('30 s', '2.5 min')
    """
    return f"{minutes:g} min" if minutes >= 1 else f"{round(60 * minutes)} s"


TIME_LINE = re.compile(r"\*\*Time\*\*[^\"\\\n]*")
"""In a notebook file's JSON text, where a line ends with a quote or an escaped line break."""


def save_time_lines(course: Course, folder: Path) -> list[Path]:
    """Update the time lines of the notebooks in `folder` from course.toml; return the files changed.

    Raises
    ------
    DataError
        A notebook has no such line, or several.
    """
    changed = []
    for notebook in course.notebooks:
        path = folder / f"{notebook.id}.ipynb"
        text = path.read_text(encoding="utf-8")
        updated, count = TIME_LINE.subn(time_line(notebook), text)
        if count != 1:
            remedy = "Its first cell needs exactly one line that starts with **Time**."
            raise DataError(path, f"{count} lines say how long it takes, instead of one", remedy)
        if updated != text:
            with cache.atomic_file(path) as temporary:
                temporary.write_text(updated, encoding="utf-8", newline="\n")
            changed.append(path)
    return changed
