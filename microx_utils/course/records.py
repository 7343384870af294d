"""What a run leaves in figures/: PNGs, manifest.json and claims.json. `gallery` makes pages of them."""

import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microx_utils.corpora import data_sources, resolve_data
from microx_utils.landmarks import chosen_tracker
from microx_utils.support import cache, paths
from microx_utils.support.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150
SHORTEST_ALT = 20
"""Characters. Shorter alt text names a figure and does not describe it."""

NAMED_PACKAGES = ("numpy", "matplotlib", "tensorflow", "keras", "opencv-python", "scikit-learn", "ai-edge-litert")


def truth_folder(data: str) -> Path | None:
    """Return the folder with the ground truth of a data set of rendered people; None if the people are real.

    Own recordings don't count: a class's may be in the same data set as rendered people.

    Raises
    ------
    DataError
        The data set does not exist.
    """
    sources = {name: folder for name, folder in data_sources(data).items() if name != "own"}
    holders = {
        next((place.resolve() for place in (folder, folder.parent) if (place / "truth.npz").is_file()), None)
        for folder in sources.values()
    }
    return holders.pop() if len(holders) == 1 else None


def is_rendered(data: str) -> bool:
    """Return True if the data are rendered people: the sample, or folders with ground truth as only it has."""
    return truth_folder(data) is not None


def data_name(data: str) -> str:
    """Return a short name for file and folder names: "sample", or the data's name with a key of its full paths."""
    text = resolve_data(data)
    if text == "sample":
        return text
    folder = Path(text)
    name = folder.name if folder.is_dir() else "+".join(data_sources(data))
    key = hashlib.sha256(text.encode()).hexdigest()[:6]  # two folders called "BAUM" are two data sets
    return f"{re.sub(r'[^A-Za-z0-9_+-]+', '-', name)[:60] or 'data'}-{key}"


def output_folder(profile: str, data: str, seed: int = 0, *, student: bool = False) -> Path:
    """Return where figures go: figures/ for the reference (class, sample, seed 0), else a folder of figures/runs/.

    What a student's version of a notebook records is never the reference.
    """
    name = run_name(profile, data, seed)
    if student:
        return paths.FIGURES / "runs" / f"exercises-{name}"
    return paths.FIGURES if name == "class-sample" else paths.FIGURES / "runs" / name


def run_name(profile: str, data: str, seed: int = 0) -> str:
    """Return the name of the folders that a run writes to: profile and data set, and seed and landmarks if unusual."""
    tracker = chosen_tracker()
    more = (f"-seed{seed}" if seed else "") + (f"-{tracker}" if tracker != "mesh" else "")
    return f"{profile}-{data_name(data)}{more}"


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


@contextmanager
def updating(path: Path) -> Iterator[dict[str, Any]]:
    """Yield a document to change and write it afterwards, one process at a time."""
    with cache.lock(path):
        document = read_json(path)
        yield document
        write_json(path, document)


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
    with updating(folder / "manifest.json") as document:
        with cache.atomic_file(path) as temporary:  # bytes that depend on nothing but the figure
            figure.savefig(temporary, dpi=DPI, bbox_inches="tight", facecolor="white", metadata={"Software": None})
            digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
        rows = document.setdefault("figures", {})
        rows[name] = plain(row | {"alt": alt, "file": path.name, "sha256": digest, "machine": machine_key})
        used = {each["machine"] for each in rows.values()}
        machines = document.get("machines", {}) | {machine_key: made_on}
        document["machines"] = {key: value for key, value in machines.items() if key in used}
    return path


def record_claim(folder: Path, name: str, row: dict[str, Any]) -> None:
    """Put a claim's row into claims.json, one process at a time."""
    with updating(folder / "claims.json") as document:
        document.setdefault("claims", {})[name] = plain(row)


def copy_claims(source: Path, target: Path) -> None:
    """Begin a folder's claims.json with what another folder holds, if anything."""
    document = read_json(source / "claims.json")
    if document:
        write_json(target / "claims.json", document)


def read_figures(folder: Path) -> dict[str, dict[str, Any]]:
    """Return manifest.json's rows by figure id; {} before the first run."""
    return read_json(folder / "manifest.json").get("figures", {})


def read_claims(folder: Path) -> dict[str, dict[str, Any]]:
    """Return claims.json's rows by claim id; {} before the first run."""
    return read_json(folder / "claims.json").get("claims", {})
