"""`microx data list`: every corpus that can be read, where it is on this machine, and its clips per class."""

import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from microx_utils.corpora import CORPORA, FOLDERS, Corpus, data_sources
from microx_utils.labels import EMOTIONS
from microx_utils.support import paths
from microx_utils.support.errors import DataError

WIDTH = 110
COMMANDS = {"RAVDESS": "microx data fetch ravdess"}
"""Corpora that this program can fetch."""


@dataclass(frozen=True)
class Finding:
    """One place where a corpus was found.

    Attributes
    ----------
    folder
        Its folder.
    origin
        "sample" (rendered people who stand in for the corpus), "data/raw", or "--data".
    clips
        Number of usable clips, by class, in the order of `EMOTIONS`.
    people
        Number of people in the usable clips.
    excluded
        Number of clips or annotations that can't be used, by reason, the most frequent first.
    problem
        Why the corpus can't be read at all, or "".
    """

    folder: Path
    origin: str
    clips: dict[str, int] = field(default_factory=dict)
    people: int = 0
    excluded: dict[str, int] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class Listing:
    """A corpus, where it was looked for, and where it was found."""

    corpus: Corpus
    looked: list[Path]
    findings: list[Finding]


def list_corpora(data: str | None = None) -> list[Listing]:
    """Look for every corpus: where `data` says, in data/raw, and in the sample.

    Parameters
    ----------
    data
        More places to look in, as for `corpora.data_sources`.

    Raises
    ------
    DataError
        `data` names no corpus. A problem with a corpus that was found is in its `Finding` instead.
    """
    given = data_sources(data) if data is not None else {}
    raw, sample = _common(paths.DATA / "raw"), _common(paths.SAMPLE)
    listings = []
    for name, corpus in CORPORA.items():
        own = paths.DATA / "raw" / name
        places = [
            (given.get(name), "--data"),
            (raw.get(name), "data/raw"),
            (own if own.is_dir() else None, "data/raw"),
            (sample.get(name), "sample"),
        ]
        found: dict[Path, Finding] = {}  # several origins may lead to the same folder
        for place, origin in places:
            if place is not None and place.resolve() not in found:
                origin = "sample" if place.resolve().is_relative_to(paths.SAMPLE.resolve()) else origin
                found[place.resolve()] = examine(corpus, place, origin)
        looked = [given.get(name, own), own]
        if name in FOLDERS:
            looked += [paths.DATA / "raw" / FOLDERS[name], paths.SAMPLE / FOLDERS[name]]
        listings.append(Listing(corpus, list(dict.fromkeys(looked)), list(found.values())))
    return listings


def _common(folder: Path) -> dict[str, Path]:
    """Return the corpora in a folder of several; none if it is missing or empty."""
    try:
        return data_sources(folder)
    except DataError:
        return {}


def examine(corpus: Corpus, folder: Path, origin: str = "--data") -> Finding:
    """Read a corpus's clip table (no video is opened) and count; an unreadable corpus is a finding as well."""
    try:
        rows = corpus.read(folder)
    except DataError as error:
        return Finding(folder, origin, problem=str(error))
    except OSError as error:
        return Finding(folder, origin, problem=f"{error.filename or folder}: can't be read ({error.strerror or error})")
    clips = rows[rows["reason"] == ""]
    counts, reasons = clips["emotion"].value_counts(), rows.loc[rows["reason"] != "", "reason"].value_counts()
    return Finding(
        folder,
        origin,
        clips={emotion: int(counts.get(emotion, 0)) for emotion in EMOTIONS},
        people=clips["subject"].nunique(),
        excluded={str(reason): int(count) for reason, count in reasons.items()},
    )


def describe(listings: list[Listing]) -> str:
    """Return the listing as text: one block per corpus, then one table of what was found."""
    return "\n\n".join([*map(_block, listings), _table(listings)])


def _block(listing: Listing) -> str:
    corpus = listing.corpus
    lines = [("what", corpus.about), ("licence", corpus.licence), ("source", corpus.source)]
    if corpus.name in COMMANDS:
        lines.append(("fetch it", COMMANDS[corpus.name]))
    for finding in listing.findings:
        stands_in = " (the sample: rendered people stand in for it)" if finding.origin == "sample" else ""
        lines.append(("found", paths.short(finding.folder) + stands_in))
        if finding.problem:
            lines.append(("unusable", finding.problem))
            continue
        people = "person" if finding.people == 1 else "people"
        lines.append(("clips", f"{sum(finding.clips.values())} usable, of {finding.people} {people}"))
        if finding.excluded:
            reasons = [f"{count} × {reason}" for reason, count in finding.excluded.items()]
            more = [f"{len(reasons) - 3} more reasons"] if len(reasons) > 3 else []
            lines.append(("excluded", f"{sum(finding.excluded.values())}: {'; '.join(reasons[:3] + more)}"))
    text = [corpus.name, *(_wrapped(f"{'':4}{word:<12}", line) for word, line in lines)]
    if not listing.findings:
        looked = ", ".join(map(paths.short, listing.looked))
        text += [_wrapped(f"{'':4}{'not found':<12}", f"looked in {looked}"), "    layout"]
        text += [_wrapped(" " * 8, line.strip(), hanging=4) for line in corpus.layout.splitlines()]
    return "\n".join(text)


def _wrapped(lead: str, text: str, *, hanging: int = 0) -> str:
    """Return `lead` and text, wrapped to WIDTH and indented; a longer path stays in one piece."""
    indent = " " * (len(lead) + hanging)
    return textwrap.fill(
        text, WIDTH, initial_indent=lead, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _table(listings: list[Listing]) -> str:
    rows = [
        {
            "corpus": listing.corpus.name,
            **finding.clips,
            "clips": sum(finding.clips.values()),
            "people": finding.people,
            "excluded": sum(finding.excluded.values()),
            "place": finding.origin,
        }
        for listing in listings
        for finding in listing.findings
        if not finding.problem
    ]
    if not rows:
        return 'No corpus was found. Run "microx data render" to make the sample.'
    table = pd.DataFrame(rows).to_string(index=False)
    return f"Usable clips per class, people, and exclusions:\n{table}"
