"""Text tables as programs and spreadsheets write them: any usual encoding, line ending, separator and decimal mark."""

import gzip
import io
import re
import zlib
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from microx_utils.support.errors import DataError

MISSING = ["-nan(ind)", "nan(ind)", "-nan", "1.#IND", "-1.#IND", "1.#QNAN"]
"""How C programs write NaN, besides what pandas knows."""

MOST_COLUMNS = 5_000
"""OpenFace writes up to 714."""

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
"""Characters that no text file holds."""

_AGAIN = "Make the file again, or copy it again: it is cut short or damaged."


def read_text(path: str | PathLike[str]) -> str:
    r"""Return a text file with "\n" between its lines, decompressed if it is gzip.

    The encoding is what a byte order mark says, else UTF-8, else UTF-16 if every second byte is zero, else Windows-1254
    (Western European with the Turkish letters).

    Raises
    ------
    DataError
        The file can't be read, is a damaged gzip file, or is not text.
    """
    try:
        data = Path(path).read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(path, f"is a damaged gzip file ({error})", _AGAIN) from error
    except OSError as error:
        problem = f"can't be read ({error.strerror or error})"
        raise DataError(path, problem, "Make it readable, or copy it again.") from error
    for encoding in _encodings(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    raise DataError(path, "is not a text file", "Use the file as the program wrote it, as text.")


def _encodings(data: bytes) -> list[str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ["utf-16"]
    start = data[:200]
    if start.count(0) >= len(start) // 3 > 0:  # English in UTF-16 without a byte order mark
        return ["utf-16-le" if start[1::2].count(0) >= start[::2].count(0) else "utf-16-be"]
    return ["utf-8", "cp1254"]


def split_header(text: str) -> tuple[str, str, str]:
    r"""Return (separator, header, rest) of a table's text; a first line `sep=;`, as Excel writes it, is left out.

    >>> split_header("sep=;\na;b\n1;2\n")
    (';', 'a;b', '1;2\n')
    """
    header, _, rest = text.partition("\n")
    if given := re.fullmatch(r'"?sep=(.)"?\s*', header, re.IGNORECASE):
        header, _, rest = rest.partition("\n")
        if header.count(given[1]):
            return given[1], header, rest
    return max(",;\t", key=header.count), header, rest  # ties go to the comma


def read_delimited(path: str | PathLike[str]) -> pd.DataFrame:
    """Return a table of numbers with one line per row, below a line of names; `check_numbers` looks at the values.

    Read are commas, semicolons and tabs as separators, with blanks around them; decimal commas where the separator is
    another; blank rows; and the encodings of `read_text`.

    Raises
    ------
    DataError
        As `read_text`; or the file is empty, or it has too many columns, or a row with other than one value per name.
    """
    text = read_text(path)
    separator, header, rest = split_header(text)
    if (count := header.count(separator) + 1) > MOST_COLUMNS:  # each costs time
        raise DataError(path, f"has {count:,} columns in its first line", _AGAIN)
    names = [name.strip().strip('"') for name in header.split(separator)]
    if not any(names):
        raise DataError(path, "is empty" if not text.strip() else "has no line of names at its top", _AGAIN)
    lines = [line for line in rest.split("\n") if line.strip(" \t,;")]
    for number, line in enumerate(lines, start=1):
        if (found := line.count(separator) + 1) != len(names):
            problem = f"row {number} of {len(lines)} has {found:,} values, the header {len(names)} names"
            raise DataError(path, problem, _AGAIN)
    decimal = "," if separator != "," and re.search(r"\d,\d", rest) else "."
    if not lines:
        return pd.DataFrame(columns=names)
    try:
        table = pd.read_csv(
            io.StringIO("\n".join(lines)),
            sep=separator,
            decimal=decimal,
            header=None,
            names=range(len(names)),
            index_col=False,
            skipinitialspace=True,
            na_values=MISSING,
        )
    except pd.errors.ParserError as error:
        raise DataError(path, f"isn't readable as a table ({error})", _AGAIN) from error
    if len(table) != len(lines):
        raise DataError(path, "has a quotation mark that joins several rows", _AGAIN)
    return table.set_axis(names, axis=1).copy()  # in one piece: columns are added later


def check_numbers(table: pd.DataFrame, path: str | PathLike[str]) -> pd.DataFrame:
    """Return a table of `read_delimited`; raise DataError, which names `path`, for a value that is no finite number.

    NaN, which stands for a missing value, is no fault.
    """
    kinds = [dtype.kind for dtype in table.dtypes]
    infinite = np.isinf(table.select_dtypes("float").to_numpy()).any()  # all at once: OpenFace writes 700 columns
    for place, (name, kind) in enumerate(zip(table.columns, kinds, strict=True)):
        if kind in "iu" or (kind == "f" and not infinite):
            continue
        column = table.iloc[:, place]
        numbers = column if kind == "f" else pd.to_numeric(column.astype(str), errors="coerce")
        bad = (~np.isfinite(numbers) & column.notna()).to_numpy()
        if bad.any():
            row = int(bad.argmax())
            value = str(column.iloc[row])[:40]
            problem = f"row {row + 1} of {len(table)} has {value!r} for {name}, which is no number"
            raise DataError(path, problem, _AGAIN)
    return table
