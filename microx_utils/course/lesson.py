"""The lesson that a notebook opens: its checked parameters, its data and runs, and what it saves."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from IPython.core.getipython import get_ipython
from IPython.display import Image, Markdown, display

from microx_utils.components import Style
from microx_utils.corpora import data_sources, resolve_data
from microx_utils.course import ledger, paper, records, stages
from microx_utils.course.claims import claim_row
from microx_utils.course.outline import Notebook, load_course
from microx_utils.course.safe_html import show_safely
from microx_utils.crops import CropStore
from microx_utils.experiments import Profile, get_profile
from microx_utils.support import paths
from microx_utils.support.keras_setup import prepare_networks
from microx_utils.training import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Lesson:
    """An open notebook: its checked parameters, its data and runs, and what it saves."""

    entry: Notebook
    profile: Profile
    data: str
    seed: int
    folder: Path = field(repr=False)

    @property
    def notebook(self) -> str:
        """The notebook's id, such as "06_evaluation"."""
        return self.entry.id

    @property
    def data_label(self) -> str:
        """What to call the data in a sentence or a caption: "rendered sample", or the folder's name."""
        name = records.data_name(self.data)
        return f"rendered {name}" if records.is_rendered(self.data) else name

    @property
    def has_own(self) -> bool:
        """Whether own recordings (section V.F) belong to the lesson's data."""
        return "own" in data_sources(self.data)

    def crops(self, *, own: bool = False, style: Style | None = None) -> CropStore:
        """Return the crops of the lesson's data at the profile's size; made once, then read from the cache.

        Parameters
        ----------
        own
            True for one's own recordings (section V.F), in place of BAUM.
        style
            "aligned" or "published"; the profile's, unless given.
        """
        return stages.crops_of(self.data, self.profile, own=own, style=style)

    def train(self, name: str, *, seed: int | None = None) -> Run:
        """Return the run of a row of experiments.toml on the lesson's data; trained once, then read from the cache.

        Parameters
        ----------
        name
            The row's name, such as "table1_microx".
        seed
            Another division of the people and other first weights than the lesson's.
        """
        return stages.train_row(name, self.data, self.profile, seed=self.seed if seed is None else seed)

    @property
    def seeds(self) -> range:
        """The seeds to train with where two networks are compared: the lesson's and, in larger profiles, the next."""
        return range(self.seed, self.seed + self.profile.seeds)

    def show(
        self,
        fig: Any,
        id: str,
        *,
        alt: str,
        caption: str = "",
        title: str | None = None,
        made_from: Any = None,
        **parameters: Any,
    ) -> None:
        """Save a figure as <id>.png with its row in manifest.json, show it below the cell, and close it.

        Parameters
        ----------
        fig
            A matplotlib Figure, or anything with one as `.figure` (an Axes, a seaborn grid).
        id
            "figure_01" to "figure_17" for the paper's, "extra_<topic>" for others; declared in course.toml.
        alt
            What the picture shows, for readers who can't see it: at least 20 characters.
        caption
            What to learn from it, one or two sentences of Markdown; shown in the gallery.
        title
            A heading for the gallery; unless given, the paper's own title, or the heading drawn in the figure, or the
            id's topic.
        made_from
            What it was drawn from: runs (`lesson.train`), the keys of other cached results (`store.key`), or any plain
            values, alone or in lists and dicts. The row has them as `inputs`, a run with its experiment and key; its
            `made_from` is the hash of them, the notebook's code, the profile, the data set's name and the seed.
        parameters
            Whatever else shaped it; kept in the manifest.

        Raises
        ------
        ValueError
            The id is not declared for this notebook, the alt text is too short, or `fig` is no figure.
        """
        if id not in self.entry.figures:
            raise ValueError(
                f"figure {id!r} is not declared for {self.notebook} in course.toml; declared are {self.entry.figures}"
            )
        figure = _as_figure(fig)
        row = {
            "title": title or _figure_title(id, figure),
            "paper": paper.reference(id),
            "alt": alt,
            "caption": " ".join(caption.split()),
            "parameters": parameters,
            **self._origin(made_from),
        }
        from matplotlib import pyplot  # slow to import

        path = records.record_figure(self.folder, id, figure, row)
        display(Image(filename=path, width=round(96 * figure.get_figwidth()), alt=alt))
        pyplot.close(figure)  # or the notebook would show it a second time

    def say(self, text: str) -> None:
        """Show a sentence that was made from results, such as one of `findings`, as Markdown below the cell."""
        display(Markdown(text))

    def record_claim(
        self,
        id: str,
        ours: Any = None,
        *,
        data: str | None = None,
        made_from: Any = None,
        **qualifiers: Any,
    ) -> str:
        """Record our value of one of the paper's claims in claims.json; return the verdict.

        Parameters
        ----------
        id
            A claim of claims.toml that course.toml declares for this notebook.
        ours
            Our value; left out for an audit of the paper against itself.
        data
            What was measured, if not simply the notebook's data set, for instance "sample, own recordings".
        made_from
            As for `show`.
        qualifiers
            interval, n, chance, split and note, as for `claims.claim_row`; a score needs the first four.

        Raises
        ------
        ValueError
            The claim is not declared for this notebook, or a score lacks a qualifier.
        """
        if id not in self.entry.claims:
            raise ValueError(
                f"claim {id!r} is not declared for {self.notebook} in course.toml; declared are {self.entry.claims}"
            )
        origin = self._origin(made_from)
        rendered = records.is_rendered(self.data)
        row = claim_row(id, records.plain(ours), rendered=rendered, data=data or origin["data"], **qualifiers)
        records.record_claim(self.folder, id, origin | {"data_set": origin["data"]} | row)
        return row["verdict"]

    def _origin(self, made_from: Any) -> dict[str, Any]:
        """Return what every row says of where it comes from. Paths stay out: the files are published."""
        row: dict[str, Any] = {"profile": self.profile.name, "data": records.data_name(self.data), "seed": self.seed}
        row["inputs"] = ledger.describe_inputs(made_from)
        key = ledger.origin_key(self.notebook, **row)
        return row | {"notebook": self.notebook, "cell": _running_cell(self.notebook), "made_from": key}


def _running_cell(notebook: str) -> str | None:
    """Return the id of the notebook's running cell; None outside a notebook, or if the cell has been edited."""
    shell = get_ipython()
    if shell is None or shell.history_manager is None:
        return None
    running = shell.history_manager.input_hist_raw[-1].strip()
    cells = json.loads((paths.NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    return next((cell["id"] for cell in cells if "".join(cell["source"]).strip() == running), None)


def _figure_title(name: str, figure: "Figure") -> str:
    """Return the paper's title of a figure, else the one heading drawn in it, else what its id says."""
    if not name.startswith("extra_"):
        return paper.figure(int(name.removeprefix("figure_")))["title"]
    headings = [ax.get_title("left") for ax in figure.axes if ax.get_title("left")]
    drawn = figure.get_suptitle() or (headings[0] if len(headings) == 1 else "")
    return " ".join(drawn.split()) or name.removeprefix("extra_").replace("_", " ").capitalize()


def _as_figure(fig: Any) -> "Figure":
    """Return a Figure itself, or that of an Axes or a seaborn grid."""
    from matplotlib.figure import Figure

    found = getattr(fig, "figure", None)  # a Figure's is itself
    if not isinstance(found, Figure):
        raise ValueError(f"fig is a {type(fig).__name__}; give a matplotlib Figure, or an Axes")
    return found


def open_lesson(
    notebook: str, *, profile: str = "class", data: str = "sample", seed: int = 0, student: bool = False
) -> Lesson:
    """Check a notebook's parameters, set the look of figures and tables, and return its lesson.

    Parameters
    ----------
    notebook
        The id in course.toml, such as "06_evaluation".
    profile
        How much work: "smoke", "class" or "paper".
    data
        "sample", a folder, or corpora by name: see `corpora`.
    seed
        From 0 up; the source of all randomness in the notebook.
    student
        True in exercises/: what is saved goes to a folder of its own, which begins with the claims that the complete
        notebooks recorded and never replaces them.

    Raises
    ------
    ValueError
        A parameter is not one of the choices; the message lists them.
    DataError
        The data folder is missing.
    """
    entry = load_course().notebook(notebook)
    chosen = get_profile(profile)
    if type(seed) is not int or seed < 0:
        raise ValueError(f"seed is {seed!r}; give a whole number from 0 up")
    name = resolve_data(data)
    prepare_networks()
    from microx_utils.plots.style import style  # draws, so it is slow to import

    style()
    show_safely()
    pd.set_option("display.max_colwidth", None)  # reasons and names in a table are shown in full
    folder = records.output_folder(profile, data, seed, student=student)
    if student and not folder.exists():
        records.copy_claims(records.output_folder(profile, data, seed), folder)
    return Lesson(entry, chosen, name, seed, folder)
