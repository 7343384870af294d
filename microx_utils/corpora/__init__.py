"""Corpora on disk -> the clip table (paper, sections II and V): one module per corpus, and the choice among them.

Each reader walks its corpus's own layout and returns rows of the clip table; the rest of the project never sees a
folder name or an annotation sheet. Which data a run uses is one text, `data`:

    sample                             the rendered people in data/sample
    /data/baum                         a folder that holds BAUM-1 and/or BAUM-2 (and perhaps own)
    RAVDESS                            a corpus in data/raw under its own name
    BAUM-1a=/data/a,BAUM-2=/data/b     corpora by name, in any folders, joined in one clip table
"""

import difflib
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import pandas as pd

from microx_utils.corpora import baum, belfast, crema_d, enterface, iemocap, mmi, own, ravdess
from microx_utils.corpora.own import read_own
from microx_utils.corpora.table import ROW_COLUMNS, VIDEO_SUFFIXES, Corpus, one_spelling
from microx_utils.labels import CLIP_COLUMNS, EXCLUDED_COLUMNS
from microx_utils.support import paths
from microx_utils.support.errors import DataError

__all__ = [
    "CORPORA",
    "ROW_COLUMNS",
    "VIDEO_SUFFIXES",
    "Corpus",
    "data_sources",
    "load_clips",
    "probe_clips",
    "read_own",
    "resolve_data",
]

_OTHERS = (ravdess.CORPUS, crema_d.CORPUS, enterface.CORPUS, mmi.CORPUS, iemocap.CORPUS, belfast.CORPUS)
CORPORA: dict[str, Corpus] = {corpus.name: corpus for corpus in (*baum.CORPORA, *_OTHERS, own.CORPUS)}
"""Every corpus that can be read, by name."""

FOLDERS = {"BAUM-1a": "BAUM-1", "BAUM-1s": "BAUM-1", "BAUM-2": "BAUM-2", "own": "own"}
"""Subfolders of the corpora that can be read from one common folder."""


def data_sources(data: str | PathLike[str]) -> dict[str, Path]:
    """Return the corpora that `data` names, and the folder of each; nothing is opened yet.

    Raises
    ------
    DataError
        A folder is missing, a common folder holds no corpus, or a name is no corpus's.
    """
    parts = _named_parts(str(data))
    if not str(data).strip():
        raise DataError("the data set", "has no name", 'Leave DATA and --data away for the sample, or write "sample".')
    if not parts:
        return _common_folder(paths.SAMPLE if str(data) == "sample" else paths.typed(data))
    sources: dict[str, Path] = {}
    for part in parts:
        given, equals, where = part.partition("=")
        name = next((known for known in CORPORA if known.lower() == given.lower()), None)
        if name is None or (equals and not where):
            remedy = f"Write NAME or NAME=FOLDER, several with commas between; names are {[*CORPORA]}."
            raise DataError(data, f"{part!r} names no corpus and folder", remedy)
        if name in sources:
            raise DataError(where or name, f"{name} is given twice", "Name each corpus once.")
        folder = paths.typed(where.strip()) if equals else paths.DATA / "raw" / name
        inner = folder / FOLDERS.get(name, name)
        sources[name] = inner if inner.is_dir() else folder  # the folder above it was given
    for name, folder in sources.items():
        if not folder.is_dir():
            comma = f" (a comma begins another corpus only before one of {[*CORPORA]})" if "," in str(folder) else ""
            problem = f"{name} is not here: {'a file, not a folder' if folder.is_file() else 'no such folder'}{comma}"
            how = _meant(str(folder).rpartition(",")[2]) if comma else "`microx data list` says how to get it. "
            raise DataError(folder, problem, f"{how}Expected this layout:\n{CORPORA[name].layout}")
    return sources


def _meant(text: str) -> str:
    """Return a question after the corpus that a misspelt name may mean, or ""."""
    given = text.partition("=")[0].strip()
    known = {name.lower(): name for name in CORPORA}
    close = difflib.get_close_matches(given.lower(), known, cutoff=0.7)
    return f"Did you mean {' or '.join(known[name] for name in close)}? " if close else ""


def _named_parts(text: str) -> list[str]:
    """Return the parts NAME or NAME=FOLDER of `data`; none if it is "sample" or one folder for all."""
    names = "|".join(map(re.escape, CORPORA))
    if not re.match(rf"({names})(=|,|$)", text, re.IGNORECASE):
        return []
    return re.split(rf",\s*(?=(?:{names})(?:=|,|$))", text, flags=re.IGNORECASE)  # a comma in a path splits nothing


def resolve_data(data: str | PathLike[str]) -> str:
    """Return `data` with full paths, so that it means the same from any working folder; "sample" stays that word.

    Raises DataError as `data_sources` does.
    """
    text, sources = str(data), data_sources(data)
    if _named_parts(text):
        return ",".join(f"{name}={folder.resolve()}" for name, folder in sources.items())
    folder = paths.SAMPLE if text == "sample" else paths.typed(text)
    return "sample" if folder.resolve() == paths.SAMPLE.resolve() else str(folder.resolve())


def _common_folder(root: Path) -> dict[str, Path]:
    layout = "Expected this layout:\n" + "\n".join(CORPORA[name].layout for name in FOLDERS)
    if not root.is_dir():
        problem = "no such data folder" if not root.exists() else "a file, not a data folder"
        raw = paths.DATA / "raw"
        present = sorted(str(child) for child in raw.iterdir() if child.is_dir()) if raw.is_dir() else []
        remedy = (
            f'{_meant(str(root))}Choose "sample", a corpus by NAME=FOLDER ({", ".join(CORPORA)}), or a folder that '
            f"holds BAUM-1 or BAUM-2; data/raw holds {present or 'nothing yet'} (see data/README.md). {layout}"
        )
        if root == paths.SAMPLE:
            remedy = 'Run "microx data render" to make the sample.'
        raise DataError(root, problem, remedy)
    sources = {name: root / folder for name, folder in FOLDERS.items() if _present(name, root / folder)}
    if not sources:
        found = sorted(path.name for path in root.iterdir())[:12]
        remedy = f"{layout}\nFor another corpus say which: NAME={root}, one of {[*CORPORA]}."
        raise DataError(root, f"no corpus found; the folder holds {found}", remedy)
    return sources


def _present(name: str, folder: Path) -> bool:
    """Return whether a corpus is in `folder` at all; an incomplete one (no sheet) counts, and fails later."""
    if not folder.is_dir() or not name.startswith("BAUM-1"):
        return folder.is_dir()
    return baum.has_part(folder, name[-1])


def load_clips(
    data: str | PathLike[str] = "sample", *, corpora: Sequence[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the clip table of a data set, and the list of what was left out.

    Parameters
    ----------
    data
        What to read, see the module's docstring.
    corpora
        Which corpora to read; by default all that `data` holds except `own`.

    Returns
    -------
    clips
        One row per clip: clip_id ("BAUM-2/S001_001": unique across corpora), corpus, subject ("BAUM-1/S001": one person
        in BAUM-1a and BAUM-1s is one subject, S001 of BAUM-2 another), emotion (one of `EMOTIONS`), source_label,
        path (of a file, or of a part of one: `video.split_path`), condition ("plain" or "mask"), split_group (clips
        that share it must stay on one side of a split; by default the subject), note (such as an annotation's code that
        disagrees with its word; empty otherwise). Sorted by clip_id.
    excluded
        One row per clip or annotation that can't be used: corpus, clip_id, path, source_label, reason.

    Raises
    ------
    DataError
        A folder or an annotation sheet is missing or unreadable, or nothing usable was found.
    ValueError
        `corpora` names an unknown corpus.
    """
    unknown = sorted(set(corpora or ()) - set(CORPORA))
    if unknown:
        raise ValueError(f"unknown corpora {unknown}; choose from {sorted(CORPORA)}")
    sources = data_sources(data)
    for name in corpora or ():
        if name not in sources:
            problem = f"{name} is not here; found are {[*sources]}"
            raise DataError(data, problem, f"Expected this layout:\n{CORPORA[name].layout}")
    chosen = corpora or [name for name in sources if name != "own"]
    if not chosen:
        raise DataError(data, "only own recordings are here", "Name a corpus to train on as well.")

    rows = pd.concat([CORPORA[name].read(sources[name]) for name in chosen], ignore_index=True)
    rows = one_spelling(rows).sort_values("clip_id", kind="stable", ignore_index=True)
    usable = rows["reason"] == ""
    clips = rows.loc[usable, CLIP_COLUMNS].reset_index(drop=True)
    excluded = rows.loc[~usable, EXCLUDED_COLUMNS].reset_index(drop=True)
    if clips.empty:
        reasons = excluded["reason"].value_counts().to_dict()
        layouts = "\n".join(CORPORA[name].layout for name in chosen)
        raise DataError(data, f"no usable clip; excluded {reasons}", f"Expected this layout:\n{layouts}")
    return clips, excluded


def probe_clips(clips: pd.DataFrame, *, jobs: int | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Open every clip's file: which are videos, and of which size and rate.

    Returns
    -------
    clips
        The rows that can, with a new index, and what `video.probe_video` says: fps, seconds, width and height.
    excluded
        The others, as in `load_clips`: corpus, clip_id, path, source_label, reason. Faults inside a video show only
        when it is decoded (notebook 02).
    """
    from microx_utils.support.parallel import run_parallel

    calls = [(path,) for path in clips["path"]]
    found = run_parallel(_probe, calls, desc="opening clips", jobs=jobs, lost=_not_probed)
    table = clips.reset_index(drop=True).join(pd.DataFrame(found, columns=[*_PROBED, "reason"]))
    usable = table["reason"] == ""
    good = table[usable].drop(columns="reason").reset_index(drop=True)
    return good, table.loc[~usable, EXCLUDED_COLUMNS].reset_index(drop=True)


_PROBED = ("fps", "seconds", "width", "height")


def _not_probed(problem: str) -> dict[str, float | str]:
    return dict.fromkeys(_PROBED, 0.0) | {"reason": problem}


def _probe(path: str) -> dict[str, float | str]:
    from microx_utils.video import probe_video  # reading tables needs no decoder

    try:
        info = probe_video(path)
    except DataError as error:
        return _not_probed(error.problem)
    return {name: getattr(info, name) for name in _PROBED} | {"reason": ""}
