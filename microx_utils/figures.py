"""What a run leaves in figures/: PNGs, manifest.json, claims.json, and the gallery made from them."""

import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microx_utils import cache, paths
from microx_utils.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from microx_utils.manifest import Course

DPI = 150
SHORTEST_ALT = 20
"""Characters. Shorter alt text names a figure and does not describe it."""

NAMED_PACKAGES = ("numpy", "matplotlib", "tensorflow", "keras", "opencv-python", "scikit-learn", "ai-edge-litert")


def data_folder(data: str) -> Path:
    """Return the folder that `data` names: "sample" or a path.

    Raises
    ------
    DataError
        There is no such folder; the message lists what there is.
    """
    folder = paths.SAMPLE if data == "sample" else Path(data).expanduser()
    if not folder.is_dir():
        raw = paths.DATA / "raw"
        there = sorted(str(child) for child in raw.iterdir() if child.is_dir()) if raw.is_dir() else []
        problem = "no such data folder" if not folder.exists() else "a file, not a data folder"
        remedy = (
            'Run "microx data render" to make the sample'
            if data == "sample"
            else f'Choose "sample" or a folder that holds BAUM-1 or BAUM-2; data/raw holds {there or "nothing yet"}'
        )
        raise DataError(folder, problem, f"{remedy} (see data/README.md).")
    return folder


def is_rendered(data: str) -> bool:
    """Return True if the data are rendered people: the sample, or a folder with ground truth as only it has."""
    return data_name(data) == "sample" or (data_folder(data) / "truth.npz").is_file()


def data_name(data: str) -> str:
    """Return a short name for file and folder names: "sample", or a folder's name with a key of its full path."""
    folder = data_folder(data).resolve()
    if folder == paths.SAMPLE.resolve():
        return "sample"
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:6]  # two folders called "BAUM" are two data sets
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', folder.name) or 'data'}-{key}"


def output_folder(profile: str, data: str, seed: int = 0) -> Path:
    """Return where figures go: figures/ for the reference (class, sample, seed 0), else a folder of figures/runs/."""
    name = data_name(data)
    if (profile, name, seed) == ("class", "sample", 0):
        return paths.FIGURES
    return paths.FIGURES / "runs" / (f"{profile}-{name}" + (f"-seed{seed}" if seed else ""))


def machine() -> dict[str, Any]:
    """Return what a figure was made on: system, processor, cores, Python and the versions that shape results."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in NAMED_PACKAGES},
    }


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: NumPy scalars and arrays and tuples unpacked, floats to 6 digits."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return round(value, 6)
    if value is None or isinstance(value, str | int | bool):
        return value
    raise TypeError(f"{value!r} of type {type(value).__name__} can't be recorded; give numbers, text, lists or dicts")


def read_json(path: Path) -> dict[str, Any]:
    """Return a document that this module wrote, or {} if there is none yet."""
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        remedy = "Restore it with git, or delete it and run `microx figures` again."
        raise DataError(path, f"not readable as JSON ({error})", remedy) from error


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a document whole or not at all, keys sorted so that equal content gives equal bytes."""
    with cache.atomic_file(path) as temporary:
        text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")


def _update(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Read, change and write a document. The caller holds the folder's lock."""
    document = read_json(path)
    change(document)
    write_json(path, document)


def save_png(figure: "Figure", path: Path) -> str:
    """Write a figure as a PNG that depends on nothing but the figure; return its SHA-256."""
    with cache.atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI, bbox_inches="tight", facecolor="white", metadata={"Software": None})
        return hashlib.sha256(temporary.read_bytes()).hexdigest()


def record_figure(folder: Path, name: str, figure: "Figure", row: dict[str, Any]) -> Path:
    """Write NAME.png and its row in manifest.json, one process at a time; return the PNG's path.

    Raises
    ------
    ValueError
        The row's `alt` is missing or too short to describe the picture.
    """
    alt = " ".join(str(row.get("alt", "")).split())
    if len(alt) < SHORTEST_ALT:
        raise ValueError(f"figure {name!r}: alt is {alt!r}; describe the picture in at least {SHORTEST_ALT} characters")
    path = folder / f"{name}.png"
    made_on = machine()
    machine_key = cache.content_key(**made_on)[:8]
    with cache.lock(folder / "manifest.json"):
        digest = save_png(figure, path)
        full_row = plain(row | {"alt": alt, "file": path.name, "sha256": digest, "machine": machine_key})

        def change(document: dict[str, Any]) -> None:
            rows = document.setdefault("figures", {})
            rows[name] = full_row
            used = {each["machine"] for each in rows.values()}
            machines = document.get("machines", {}) | {machine_key: made_on}
            document["machines"] = {key: value for key, value in machines.items() if key in used}

        _update(folder / "manifest.json", change)
    return path


def record_claim(folder: Path, name: str, row: dict[str, Any]) -> None:
    """Put a claim's row into claims.json, one process at a time."""
    full_row = plain(row)
    with cache.lock(folder / "claims.json"):
        _update(folder / "claims.json", lambda document: document.setdefault("claims", {}).update({name: full_row}))


def read_figures(folder: Path) -> dict[str, dict[str, Any]]:
    """Return manifest.json's rows by figure id; {} before the first run."""
    return read_json(folder / "manifest.json").get("figures", {})


def read_claims(folder: Path) -> dict[str, dict[str, Any]]:
    """Return claims.json's rows by claim id; {} before the first run."""
    return read_json(folder / "claims.json").get("claims", {})


def _cell(value: Any) -> str:
    """Return a value for a cell of a Markdown table."""
    if value is None or value == "":
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return " × ".join(_cell(part) for part in value)
    return str(value).replace("|", "\\|").replace("\n", " ")


def claims_table(rows: Mapping[str, Mapping[str, Any]], order: list[str]) -> str:
    """Return the paper-vs-ours table in Markdown, claims in the course's order, those of other courses left out."""
    lines = [
        "| claim | where | paper | ours | 95 % interval | n | chance | split | data | verdict |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in order:
        if name not in rows:
            continue
        row = rows[name]
        low_high = f"{row['interval'][0]:.3f} to {row['interval'][1]:.3f}" if row["interval"] else "–"
        paper, ours = row["paper"], row["ours"]
        if row["kind"] == "audit":  # the paper against itself
            paper, ours = f"{_cell(paper)}; elsewhere {_cell(ours)}", None
        cells = [row["statement"], row["source"], paper, ours, low_high]
        cells += [row[key] for key in ("n", "chance", "split", "data")]
        cells.append(f"{row['verdict']}: {row['note']}" if row["note"] else row["verdict"])
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines) if len(lines) > 2 else "No claim has been recorded yet: run `microx figures`."


def gallery(folder: Path, course: "Course") -> str:
    """Return the gallery page of a figures folder in Markdown; equal inputs give equal text."""
    rows, claims = read_figures(folder), read_claims(folder)
    up = os.path.relpath(paths.ROOT, folder).replace(os.sep, "/") if folder.is_relative_to(paths.ROOT) else ".."
    parts = [
        "# Gallery",
        "Generated by `microx figures` (or `microx gallery`) from manifest.json and claims.json; don't edit it.",
    ]
    made_by = sorted({f"profile `{row['profile']}`, data `{row['data']}`" for row in rows.values()})
    if made_by:
        parts.append(f"Made with {'; '.join(made_by)}.")
    parts += ["## Paper and ours", claims_table(claims, course.claims), READING_NOTE]
    for notebook in course.notebooks:
        mine = [name for name in notebook.figures if name in rows]
        if not mine:
            continue
        parts.append(f"## [{notebook.title}]({up}/notebooks/{notebook.id}.ipynb)")
        for name in mine:
            row = rows[name]
            parts.append(f"### {row['title']} ({row['paper']})")
            parts.append(f"![{_markdown_alt(row['alt'])}]({row['file']})")
            if row["caption"]:
                parts.append(row["caption"])
    return "\n\n".join(parts) + "\n"


READING_NOTE = (
    "A score on rendered people is shown with its interval, but says nothing about the paper's real faces. "
    "`–` means that a column does not apply: a property of the method needs no data."
)


def _markdown_alt(text: str) -> str:
    return text.replace("[", "(").replace("]", ")")


def between_markers(text: str, inner: str, *, path: Path, name: str = "paper-vs-ours") -> str:
    """Return `text` with what stands between the markers `<!-- NAME:begin -->` and `:end -->` replaced by `inner`.

    Raises
    ------
    DataError
        The markers are missing, doubled or in the wrong order.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        remedy = f"Put one line {begin} and, below it, one line {end}."
        raise DataError(path, f"the markers for the {name} table are missing or doubled", remedy)
    head, rest = text.split(begin)
    tail = rest.split(end)[1]
    return f"{head}{begin}\n{inner}\n{end}{tail}"


def notebooks_table(course: "Course") -> str:
    """Return the map of notebooks to the paper's sections, figures and tables in Markdown."""
    lines = ["| notebook | the paper's | figures | tables | minutes to study |", "|---|---|---|---|---|"]
    for notebook in course.notebooks:
        drawn = ", ".join(str(int(name[-2:])) for name in notebook.figures if name.startswith("figure_"))
        cells = [f"[{notebook.number} · {notebook.title}](notebooks/{notebook.id}.ipynb)", notebook.section]
        cells += [drawn, ", ".join(map(str, notebook.tables)), str(notebook.study_minutes)]
        lines.append("| " + " | ".join(cell or "–" for cell in cells) + " |")
    return "\n".join(lines)


def save_gallery(folder: Path, course: "Course", *, readme: Path | None = None) -> list[Path]:
    """Write the folder's README.md and, if given, the table inside `readme`; return the files that changed."""
    with cache.lock(folder / "README.md"):
        pages = {folder / "README.md": gallery(folder, course)}
        if readme is not None:
            table = f"{claims_table(read_claims(folder), course.claims)}\n\n{READING_NOTE}"
            text = between_markers(readme.read_text(encoding="utf-8"), table, path=readme)
            pages[readme] = between_markers(text, notebooks_table(course), path=readme, name="notebooks")
        changed = [page for page, text in pages.items() if not page.exists() or page.read_text("utf-8") != text]
        for page in changed:
            with cache.atomic_file(page) as temporary:
                temporary.write_text(pages[page], encoding="utf-8", newline="\n")
    return changed
