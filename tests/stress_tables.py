"""Kinds of `stress`: tables, sheets, settings and file names that are harmed as editors, programs and disks do it."""

import csv
import gzip
import io
import re
import tomllib
import unicodedata
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
from stress import Kind, WrongResult

from microx_utils import corpora, experiments
from microx_utils.labels import EMOTIONS, LABEL_TO_EMOTION
from microx_utils.landmarks import REQUIRED_COLUMNS, read_openface_csv
from microx_utils.support.names import folded
from microx_utils.trackers.openface import read_finished_csv

OPENFACE = Path(__file__).parent / "data" / "openface"

NASTY = [*"\0\n\r\t ,;.\"'-+#=%{}\ufeff\u00a0", "", "..", "<b>", "9" * 400, "x" * 300, "," * 1000]
NASTY += ["nan", "NaN", "-nan(ind)", "inf", "-inf", "1e400", "1e5", "0x10", "1_000", "1,5", "1.5", "-1", "0", "2"]
NASTY += ["None", "null", "TRUE", "left"]
NASTY += ["İ", "ı", "é", "e\u0301", "ß", "٣", "😀"]
"""What stands in files where it shouldn't."""

Random = np.random.Generator


def pick(rng: Random, things: Any) -> Any:
    return things[int(rng.integers(len(things)))]


def harm_text(text: str, rng: Random) -> str:
    """Return a text with one thing wrong: a character, a span, a field or a line."""
    a, b = sorted(rng.integers(0, len(text) + 1, 2).tolist())
    b = min(b, a + int(rng.integers(1, 40)))
    lines = text.split("\n")
    i, j = rng.integers(0, len(lines), 2).tolist()
    fields = lines[i].split(",")
    k = int(rng.integers(len(fields)))
    how = int(rng.integers(9))
    if how == 0:  # a character
        return text[:a] + chr(int(rng.integers(32, 127))) + text[a + 1 :]
    if how == 1:  # something inserted
        return text[:a] + pick(rng, NASTY) + text[a:]
    if how == 2:  # a span is gone
        return text[:a] + text[b:]
    if how == 3:  # a span stands there twice
        return text[:b] + text[a:]
    if how == 4:  # the end is gone
        return text[:a]
    if how == 5:  # a field
        fields[k] = pick(rng, NASTY)
        lines[i] = ",".join(fields)
    elif how == 6:  # a line is gone
        del lines[i]
    elif how == 7:  # a line stands there twice, or comes later
        lines.insert(j, lines[i])
    else:  # two lines have changed places
        lines[i], lines[j] = lines[j], lines[i]
    return "\n".join(lines)


def harm_bytes(data: bytes, rng: Random) -> bytes:
    """Return a file's bytes as a bad disk, a broken copy or another program leaves them."""
    content = bytearray(data)
    a, b = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    b = min(b, a + int(2 ** rng.uniform(0, 12)))
    how = int(rng.integers(6))
    if how == 0 and a < len(content):
        content[a] ^= 1 << int(rng.integers(8))
    elif how == 1:
        content[a:b] = rng.bytes(b - a)
    elif how == 2:
        content[a:b] = bytes(b - a)
    elif how == 3:
        del content[a:b]
    elif how == 4:
        content[a:a] = content[a:b]
    else:
        del content[a:]
    return bytes(content)


FORMS: dict[str, Callable[[str], bytes]] = {
    "as it is": lambda text: text.encode(),
    "tabs": lambda text: text.replace(",", "\t").encode(),
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "old Mac": lambda text: text.replace("\n", "\r").encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "a mark": lambda text: text.encode("utf-8-sig"),
    "gzip": lambda text: gzip.compress(text.encode()),
    "blanks": lambda text: text.replace(",", ", ").encode(),
}
"""Forms that keep a table's meaning, for texts without these characters in their fields."""


def decoded(data: bytes) -> str:
    """Return a harmed file's text: the project, too, takes what isn't UTF-8 for a file of Windows."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1254", "replace")


def plain_rows(text: str) -> list[dict[str, str]] | None:
    """Return what a table plainly says, read without any of the project's code; None if it isn't plain."""
    try:
        header, *rows = csv.reader(io.StringIO(text.rstrip("\n,; \t"), newline=""), strict=True)
    except (csv.Error, ValueError):
        return None
    names = [name.strip() for name in header]
    if len(set(names)) < len(names) or any(len(row) != len(names) for row in rows):
        return None
    return [{name: value.strip() for name, value in zip(names, row, strict=True)} for row in rows]


class LandmarkTables:
    """OpenFace's CSVs, of a face with action units and of none."""

    name, share, longest = "landmark table", 32.0, 30.0

    def prepare(self, folder: Path) -> None:
        lines = (OPENFACE / "happy.csv").read_text().split("\n")[:9]
        self.texts = ["\n".join(lines) + "\n", "\n".join((OPENFACE / "no_face.csv").read_text().split("\n")[:9]) + "\n"]
        self.good = []
        for text in self.texts:
            (folder / "good.csv").write_text(text)
            self.good.append(read_openface_csv(folder / "good.csv"))

    def attempt(self, rng: Random, folder: Path) -> str:
        which = int(rng.integers(2))
        text, good, path = self.texts[which], self.good[which], folder / "clip.csv"
        if rng.random() < 0.3:
            path.write_bytes(harm_bytes(text.encode(), rng))
            plain = decoded(path.read_bytes())
        else:
            plain = harm_text(text, rng)
            path.write_bytes(pick(rng, list(FORMS.values()))(plain))
        table = read_openface_csv(path) if rng.random() < 0.5 else read_finished_csv(path, len(good))
        if set(table) == set(good) and table[list(good)].equals(good):
            return "as unharmed"
        if not self.says(plain_rows(plain), table):
            raise WrongResult(f"{len(table)} rows, other values than {len(good)} rows of the unharmed table")
        return "as it now says"

    @staticmethod
    def says(rows: list[dict[str, str]] | None, table: pd.DataFrame) -> bool:
        """Tell whether a table has the values that its file plainly says."""
        if rows is None or len(rows) != len(table) or set(rows[0]) != set(table):
            return False
        for name in rows[0]:
            for said, found in zip((row[name] for row in rows), table[name].tolist(), strict=True):
                if not isinstance(found, int | float):
                    return False
                number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", said, re.IGNORECASE | re.ASCII)
                missing = name not in REQUIRED_COLUMNS and pd.isna(found)
                if not (np.isclose(float(said), found, rtol=1e-12) if number else missing):
                    return False
        return True


class Labels:
    """A user's labels.csv."""

    name, share, longest = "labels.csv", 16.0, 30.0
    ROWS = (("a.avi", "kim", "happy"), ("b.avi", "kim", "sad"), ("sub/c.avi", "Ece", "anger"), ("d.avi", "7", "fear"))

    def prepare(self, folder: Path) -> None:
        self.text = "".join(",".join(row) + "\n" for row in (("file", "subject", "emotion"), *self.ROWS))

    def attempt(self, rng: Random, folder: Path) -> str:
        (folder / "sub").mkdir()
        for name, _, _ in self.ROWS:
            (folder / name).write_bytes(b"a video")
        plain = harm_text(self.text, rng)
        data = pick(rng, list(FORMS.values()))(plain)
        if rng.random() < 0.3:
            data = harm_bytes(self.text.encode(), rng)
            plain = decoded(data)
        (folder / "labels.csv").write_bytes(data)
        clips, excluded = corpora.load_clips(f"MMI={folder}")
        rows = plain_rows(plain) or []
        said = {folded(row.get("file", "")): (row.get("subject"), row.get("emotion")) for row in rows}
        unharmed = {name: (subject, emotion) for name, subject, emotion in self.ROWS}
        for name in unharmed:
            path = str(folder / name)
            if path not in {*clips["path"], *excluded["path"]}:
                raise WrongResult(f"{name} is neither a clip nor left out")
        for clip in clips.to_dict("records"):
            name = Path(clip["path"]).relative_to(folder).as_posix()
            found = (folded(clip["subject"].partition("/")[2]), clip["emotion"])
            allowed = [unharmed[name], *(said[key] for key in (name, Path(name).name) if key in said)]
            right = {(folded(who), LABEL_TO_EMOTION.get(folded(label))) for who, label in allowed}
            if found not in right and not clip["note"]:
                raise WrongResult(f"{name} is {found}, the file says {allowed}")
        if (excluded["reason"] == "").any():
            raise WrongResult("a clip is left out without a reason")
        return "left out with a reason" if len(clips) < len(unharmed) else "read"


class Sheets:
    """BAUM's annotation sheets: cells, rows and the workbook's bytes are harmed."""

    name, share, longest = "annotation sheet", 14.0, 30.0
    WORDS = ("Neutral", "Anger", "Contempt", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")

    def prepare(self, folder: Path) -> None:
        self.rows = [[f"S00{n}_001", word, n] for n, word in enumerate(self.WORDS)]

    def harm(self, grid: list[list[Any]], rng: Random) -> None:
        i, j = rng.integers(len(grid), size=2).tolist()
        k = int(rng.integers(len(grid[i])))
        how = int(rng.integers(7))
        if how == 0:
            grid[i][k] = pick(rng, [value for value in NASTY if not re.search("[\0-\x08]", value)])
        elif how == 1:
            grid[i][k] = pick(rng, [None, True, 1.5, -1, 2**70, pd.Timestamp("2020-01-01"), *self.WORDS])
        elif how == 2:
            value = str(grid[i][k])
            change = pick(rng, [str.upper, str.lower, str.swapcase, lambda text: f"  {text} ", lambda text: text[1:]])
            grid[i][k] = unicodedata.normalize("NFD", change(value))
        elif how == 3:
            grid.insert(j, list(grid[i]))
        elif how == 4:
            del grid[i]
        elif how == 5:
            grid[i], grid[j] = grid[j], grid[i]
        else:
            grid.insert(j, [pick(rng, [None, "BAUM-2", 5])] * int(rng.integers(1, 4)))

    def attempt(self, rng: Random, folder: Path) -> str:
        for name, _, _ in self.rows:
            subject, number = str(name).split("_")
            (folder / subject / "avi").mkdir(parents=True)
            (folder / subject / "avi" / f"{number}.avi").write_bytes(b"a video")
        grid: list[list[Any]] = [["Clip Name", "Emotion", "Emotion Code"], *map(list, self.rows)]
        for _ in range(int(rng.integers(0, 3))):
            self.harm(grid, rng)
        book, path = openpyxl.Workbook(), folder / "Annotations.xlsx"
        sheet: Any = book.active
        for row in grid:
            sheet.append(row)
        if rng.random() < 0.2:
            sheet.merge_cells(f"B{rng.integers(1, 9)}:B9")
        if rng.random() < 0.2:
            book.create_sheet("Read me", 0)["A1"] = "See the other sheet."
        book.save(path)
        if rng.random() < 0.3:
            path.write_bytes(harm_bytes(path.read_bytes(), rng))
        written = [[sheet.cell(r, c).value for c in (1, 2)] for r in range(1, sheet.max_row + 1)]
        merged = {str(written[r - 1][1]) for cells in sheet.merged_cells.ranges for r in (cells.min_row,)}
        clips, excluded = corpora.load_clips(f"BAUM-2={folder}")
        if len({*clips["path"], *excluded["path"]} - {""}) != len(self.rows):
            raise WrongResult("a video is neither a clip nor left out")
        if (excluded["reason"] == "").any():
            raise WrongResult("a clip is left out without a reason")
        known = {name: word for name, word, _ in self.rows}
        for clip in clips.to_dict("records"):
            name = clip["clip_id"].partition("/")[2]
            said = [known[name], *(str(word) for who, word in written if folded(who) == folded(name)), *merged]
            if clip["emotion"] not in {LABEL_TO_EMOTION.get(folded(word)) for word in said}:
                raise WrongResult(f"{name} is {clip['emotion']}, the sheet says {said[1:]}")
        return "left out with a reason" if len(clips) < len(self.rows) else "read"


class FileNames:
    """Names of RAVDESS's and own recordings, which decide on the label."""

    name, share, longest = "file name", 11.0, 30.0

    def prepare(self, folder: Path) -> None:
        self.codes = {"01": "neutral", "03": "happy", "04": "sad", "05": "anger", "06": "fear", "07": "disgust"}

    def attempt(self, rng: Random, folder: Path) -> str:
        own = bool(rng.random() < 0.5)
        names = [f"{emotion}_plain_{n}.mp4" for n, emotion in enumerate(EMOTIONS)]
        if not own:
            names = [f"01-01-{code}-01-01-01-05.mp4" for code in self.codes]
        place = folder / ("kim" if own else "Actor_05")
        place.mkdir()
        made = []
        for name in names:
            given = name
            if rng.random() < 0.4:
                given = re.sub(r"[\n\r\0/]", "", harm_text(name, rng))[:200]
            path = place / given
            if given in ("", ".", "..") or path.exists():
                continue
            path.write_bytes(b"a video")
            if path.suffix.lower() in corpora.VIDEO_SUFFIXES and not given.startswith("."):
                made.append(path)
        name = "own" if own else "RAVDESS"
        clips, excluded = corpora.load_clips(f"{name}={folder}", corpora=[name])
        listed = [*clips["path"], *excluded["path"]]
        if sorted(listed) != sorted(map(str, made)):
            raise WrongResult(f"{sorted(set(map(str, made)) ^ set(listed))} are not in the tables once")
        for clip in clips.to_dict("records"):
            stem = folded(Path(clip["path"]).stem)
            said = stem.split("_")[0] if own else self.codes.get(stem[6:8], "surprise")
            if LABEL_TO_EMOTION.get(str(said)) != clip["emotion"]:
                raise WrongResult(f"{clip['path']} is {clip['emotion']}")
        return "left out with a reason" if len(excluded) else "read"


class Settings:
    """Rows of experiments.toml."""

    name, share, longest = "experiments.toml", 11.0, 30.0
    TEXT = '[mine]\nabout = "a row"\ncomponents = ["nose", "mouth"]\nlearning_rate = 0.01\nepochs = 3\nsplit = "clip"\n'

    def prepare(self, folder: Path) -> None:
        self.file = experiments.EXPERIMENTS_FILE
        self.profile = experiments.get_profile("smoke")

    def attempt(self, rng: Random, folder: Path) -> str:
        path = folder / "experiments.toml"
        path.write_text(harm_text(self.TEXT, rng), encoding="utf-8")
        if rng.random() < 0.3:
            path.write_bytes(harm_bytes(self.TEXT.encode(), rng))
        experiments.EXPERIMENTS_FILE = path
        try:
            names = [*experiments.read_experiments()]
            found = {name: asdict(experiments.load_experiment(name, self.profile)) for name in names}
        finally:
            experiments.EXPERIMENTS_FILE = self.file
        for name, row in tomllib.loads(path.read_text(encoding="utf-8")).items():
            row.pop("about", None)
            said = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
            if {key: found[name][key] for key in said} != said:
                raise WrongResult(f"{name} is {found[name]}, the file says {row}")
        return "as it now says"


TABLE_KINDS: list[Kind] = [LandmarkTables(), Labels(), Sheets(), FileNames(), Settings()]
