"""The fault table, faults.toml: every row is a fault in a file, and what must happen. Its first lines explain a row."""

import functools
import gzip
import re
import tomllib
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from microx_utils import corpora, experiments
from microx_utils.corpora import baum
from microx_utils.labels import emotion_of
from microx_utils.landmarks import clip_landmarks, kept_table, read_openface_csv
from microx_utils.support.errors import DataError
from microx_utils.video import probe_video, read_frames, write_video

HERE = Path(__file__).parent
OPENFACE = HERE / "data" / "openface"
FAULTS = tomllib.loads((HERE / "faults.toml").read_text(encoding="utf-8"))["fault"]
OUTCOMES = {"same", "refuse", "leave", "note", "again"}


# --- Verbs: what a step of `change` does to a file ---


def on_text(change: Callable[..., str]) -> Callable[..., None]:
    """Return the verb that changes a file's text, UTF-8; other bytes stay what they are."""

    @functools.wraps(change)
    def verb(path: Path, *arguments: Any) -> None:
        text = change(path.read_bytes().decode("utf-8", "surrogateescape"), *arguments)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))

    return verb


def on_bytes(change: Callable[..., bytes]) -> Callable[..., None]:
    @functools.wraps(change)
    def verb(path: Path, *arguments: Any) -> None:
        path.write_bytes(change(path.read_bytes(), *arguments))

    return verb


def on_sheet(change: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(change)
    def verb(path: Path, *arguments: Any) -> None:
        book = openpyxl.load_workbook(path)
        change(book, *arguments)
        book.save(path)

    return verb


@on_text
def content(_: str, new: str) -> str:
    """The whole content is `new`."""
    return new


@on_text
def replace(text: str, old: str, new: str, most: int = -1) -> str:
    return text.replace(old, new, most)


@on_text
def swap(text: str, old: str, new: str, times: int) -> str:
    """`new`, repeated, stands for `old`."""
    return text.replace(old, new * times)


@on_text
def sub(text: str, pattern: str, new: str) -> str:
    """As re.sub."""
    return re.sub(pattern, new, text)


@on_text
def start(text: str, new: str) -> str:
    return new + text


@on_text
def append(text: str, new: str, times: int = 1) -> str:
    return text + new * times


@on_text
def end(text: str, line: int, new: str, times: int = 1) -> str:
    """`new`, repeated, is added to the end of a line, counted from 0."""
    lines = text.split("\n")
    lines[line] += new * times
    return "\n".join(lines)


@on_text
def ends(text: str, new: str) -> str:
    """`new` is added to the end of every line."""
    return text.replace("\n", f"{new}\n")


@on_text
def lines(text: str, *parts: str) -> str:
    """Only these lines stay: "0:4" are the first four."""
    every = text.splitlines(keepends=True)
    slices = (slice(*(int(number) if number else None for number in part.split(":"))) for part in parts)
    return "".join(line for part in slices for line in every[part])


@on_text
def upper(text: str) -> str:
    return text.upper()


@on_bytes
def encode(data: bytes, encoding: str) -> bytes:
    return data.decode().encode(encoding)


@on_bytes
def zipped(data: bytes) -> bytes:
    return gzip.compress(data)


@on_bytes
def keep(data: bytes, length: float) -> bytes:
    """So many bytes are kept, or all but so many (below 0), or this share (0.5)."""
    return data[: int(length * len(data)) if isinstance(length, float) else length]


@on_bytes
def noise(data: bytes, first: float, last: float) -> bytes:
    """The bytes between two places, as shares of the length, become noise, always the same."""
    begin, stop = int(first * len(data)), int(last * len(data))
    return data[:begin] + np.random.default_rng(0).bytes(stop - begin) + data[stop:]


@on_sheet
def row(book: Any, place: int, values: list[Any]) -> None:
    """A row is inserted at a place, counted from 1."""
    book.active.insert_rows(place)
    for column, value in enumerate(values, start=1):
        book.active.cell(place, column, value)


@on_sheet
def cell(book: Any, name: str, value: Any) -> None:
    book.active[name] = value


@on_sheet
def merge(book: Any, cells: str) -> None:
    book.active.merge_cells(cells)


@on_sheet
def sheet_before(book: Any, title: str, text: str) -> None:
    book.create_sheet(title, 0)["A1"] = text


TEXT = (content, replace, swap, sub, start, append, end, ends, lines, upper)
VERBS = {verb.__name__: verb for verb in (*TEXT, encode, zipped, keep, noise, row, cell, merge, sheet_before)}


# --- Kinds: a good file, and what reads it ---


@dataclass(frozen=True)
class Kind:
    """`make` writes a good file into a folder, `read` reads it as the project does."""

    make: Callable[[Path], Path]
    read: Callable[[Path], pd.DataFrame]


def copy(source: Path, name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(source.read_bytes())
        return folder / name

    return make


def write(name: str, text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
        return folder / name

    return make


def read_landmarks(path: Path) -> pd.DataFrame:
    return read_openface_csv(path).sort_index(axis=1)


def make_sheet(folder: Path) -> Path:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.append(["Clip Name", "Emotion", "Emotion Code"])
    for name in ("S001_001", "S001_002"):
        sheet.append([name, "Happiness", 5])
    book.save(folder / "sheet.xlsx")
    return folder / "sheet.xlsx"


def read_sheet(path: Path) -> pd.DataFrame:
    table = baum.read_annotations(path, codes=baum.BAUM2_CODES)
    return table.assign(emotion=table.pop("source_label").map(emotion_of))


def make_labels(folder: Path) -> Path:
    for name in ("a.avi", "b.avi"):
        (folder / name).write_bytes(b"not decoded by the clip table")
    return write("labels.csv", "file,subject,emotion\na.avi,çağrı,happy\nb.avi,çağrı,sad\n")(folder)


def read_labels(path: Path) -> pd.DataFrame:
    clips, excluded = corpora.load_clips(f"MMI={path.parent}")
    columns = ["clip_id", "subject", "emotion", "note", "reason"]
    return pd.concat([clips, excluded]).reindex(columns=columns).fillna("").reset_index(drop=True)


def read_video(path: Path) -> pd.DataFrame:
    probe_video(path)  # refuses what can be told from the file's ends
    frames = read_frames(path)[0]
    return pd.DataFrame(frames.reshape(len(frames), -1)[:, ::97])


def read_experiment(path: Path) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "EXPERIMENTS_FILE", path)
        (name,) = experiments.read_experiments()
        return pd.DataFrame([asdict(experiments.load_experiment(name, experiments.get_profile("smoke")))])


def make_kept(folder: Path) -> Path:
    write_video(folder / "clip.mp4", read_frames(OPENFACE / "happy.mp4")[0][:3])
    clip_landmarks(folder / "clip.mp4", tracker="mesh", cache=folder)
    return kept_table(folder / "clip.mp4", "mesh", folder)


def read_kept(path: Path) -> pd.DataFrame:
    folder = path.parents[2]
    return clip_landmarks(folder / "clip.mp4", tracker="mesh", cache=folder)


KINDS = {
    "landmark table": Kind(copy(OPENFACE / "no_face.csv", "clip.csv"), read_landmarks),
    "annotation sheet": Kind(make_sheet, read_sheet),
    "labels.csv": Kind(make_labels, read_labels),
    "video": Kind(copy(OPENFACE / "happy.mp4", "clip.mp4"), read_video),
    "experiments.toml": Kind(
        write("experiments.toml", '[mine]\nabout = "a row"\ncomponents = ["nose"]\nlearning_rate = 0.01\n'),
        read_experiment,
    ),
    "data set": Kind(write("name.txt", "sample"), lambda path: corpora.load_clips(path.read_text("utf-8"))[0]),
    "kept landmarks": Kind(make_kept, read_kept),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("fault", [pytest.param(fault, id=f"{fault['kind']}: {fault['what']}") for fault in FAULTS])
def test_fault(fault: dict[str, Any], tmp_path: Path) -> None:
    kind = KINDS[fault["kind"]]
    path = kind.make(tmp_path)
    (outcome,) = OUTCOMES & fault.keys()
    good = kind.read(path) if outcome in ("same", "again") else pd.DataFrame()
    before = path.read_bytes()
    for verb, *arguments in fault["change"]:
        VERBS[verb](path, *arguments)
    assert path.read_bytes() != before, "the change changes nothing"
    if outcome == "refuse":
        with pytest.raises(DataError) as refused:
            kind.read(path)
        said = str(refused.value)
        assert re.search(fault["refuse"], said), said
        assert refused.value.remedy.strip()
        assert path.name in said or fault["kind"] == "data set"  # a data set has a name of its own
        return
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = kind.read(path)
    if outcome in ("leave", "note"):
        said = "; ".join(found["reason" if outcome == "leave" else "note"])
        assert re.search(fault[outcome], said), said
        return
    pd.testing.assert_frame_equal(found, good)
    if outcome == "again":
        assert any(re.search(fault["again"], str(each.message)) for each in warned)


@pytest.mark.parametrize("name", KINDS)
def test_the_good_file_of_each_kind_is_read(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    found = kind.read(kind.make(tmp_path))
    assert len(found)
    assert not found.get("reason", pd.Series("")).any()
    assert not found.get("note", pd.Series("")).any() or name == "data set"  # the sample has notes of its own


def test_rows_are_whole_and_every_kind_and_verb_is_used() -> None:
    for fault in FAULTS:
        assert fault.keys() <= {"kind", "what", "change"} | OUTCOMES, fault
        assert len(fault.keys() & OUTCOMES) == 1, fault
        assert fault.get("same", True) is True, fault
    assert {fault["kind"] for fault in FAULTS} == KINDS.keys()
    assert {verb for fault in FAULTS for verb, *_ in fault["change"]} == VERBS.keys()
    named = [(fault["kind"], fault["what"]) for fault in FAULTS]
    assert len(named) == len(set(named))
