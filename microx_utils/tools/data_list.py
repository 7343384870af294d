"""What corpora there are, which of them are on this machine, and what each brings: `microx data list`.

Everything follows from the registry `corpora.CORPORA`: a corpus that is added there is listed here.
"""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from microx_utils.corpora import CORPORA, FOLDERS, Corpus, data_sources
from microx_utils.labels import EMOTIONS
from microx_utils.support import paths
from microx_utils.support.errors import DataError

WIDTH = 110
COMMANDS = {"RAVDESS": "microx data fetch ravdess"}
"""Corpora that this program fetches itself."""


@dataclass(frozen=True)
class Finding:
    """One place where a corpus was found.

    Attributes
    ----------
    folder
        The place.
    origin
        What it is: "sample" (rendered people that stand in for the corpus), "data/raw", or "--data".
    clips
        Usable clips by class, in the order of `EMOTIONS`; classes without clips count 0.
    people
        How many people the usable clips show.
    excluded
        What can't be used: reason -> how many, the most frequent first.
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
    """A corpus of the registry, where it was looked for, and where it was found."""

    corpus: Corpus
    looked: list[Path]
    findings: list[Finding]


def list_corpora(data: str | None = None, *, registry: Mapping[str, Corpus] | None = None) -> list[Listing]:
    """Look for every corpus: in data/raw, in the sample, and where `data` says.

    Parameters
    ----------
    data
        As for `corpora.data_sources`: more places to look in.
    registry
        The corpora, by name; by default all there are.

    Raises
    ------
    DataError
        `data` means no corpus at all. What is wrong with a corpus that was found stands in its `Finding` instead.
    """
    registry = CORPORA if registry is None else registry
    given = data_sources(data) if data is not None else {}
    raw, sample = _common(paths.DATA / "raw"), _common(paths.SAMPLE)
    listings = []
    for corpus in registry.values():
        own = paths.DATA / "raw" / corpus.name
        places = [
            *((place, "--data") for place in _there(given, corpus.name)),
            *((place, "data/raw") for place in _there(raw, corpus.name)),
            *([(own, "data/raw")] if own.is_dir() else []),
            *((place, "sample") for place in _there(sample, corpus.name)),
        ]
        first: dict[Path, tuple[Path, str]] = {}  # one place may be reached in several ways
        for place, origin in places:
            origin = "sample" if place.resolve().is_relative_to(paths.SAMPLE.resolve()) else origin
            first.setdefault(place.resolve(), (place, origin))
        looked = [*_there(given, corpus.name), own]
        if corpus.name in FOLDERS:
            looked += [paths.DATA / "raw" / FOLDERS[corpus.name], paths.SAMPLE / FOLDERS[corpus.name]]
        findings = [examine(corpus, folder, origin) for folder, origin in first.values()]
        listings.append(Listing(corpus, list(dict.fromkeys(looked)), findings))
    return listings


def _common(folder: Path) -> dict[str, Path]:
    """Return the corpora of a common folder; none if there is no such folder, or nothing in it."""
    try:
        return data_sources(folder)
    except DataError:
        return {}


def _there(sources: Mapping[str, Path], name: str) -> Iterator[Path]:
    if name in sources:
        yield sources[name]


def examine(corpus: Corpus, folder: Path, origin: str = "--data") -> Finding:
    """Read a corpus's clip table (no video is opened) and count; a corpus that can't be read is a finding as well."""
    try:
        rows = corpus.read(folder)
    except DataError as error:
        return Finding(folder, origin, problem=str(error))
    except OSError as error:
        return Finding(folder, origin, problem=f"{error.filename or folder}: can't be read ({error.strerror or error})")
    clips = rows[rows["reason"] == ""]
    counts = clips["emotion"].value_counts()
    reasons = rows.loc[rows["reason"] != "", "reason"].value_counts()
    return Finding(
        folder,
        origin,
        clips={emotion: int(counts.get(emotion, 0)) for emotion in EMOTIONS},
        people=int(clips["subject"].nunique()),
        excluded={str(reason): int(count) for reason, count in reasons.items()},
    )


def describe(listings: list[Listing]) -> str:
    """Return the listing as text: a block a corpus, and at the end one table of what was found."""
    return "\n\n".join([*map(_block, listings), _table(listings)])


def _block(listing: Listing) -> str:
    corpus = listing.corpus
    lines = [corpus.name, *_wrapped("what", corpus.about), *_wrapped("licence", corpus.licence)]
    lines += _wrapped("source", corpus.source)
    if corpus.name in COMMANDS:
        lines += _wrapped("fetch it", COMMANDS[corpus.name])
    if not listing.findings:
        lines += _wrapped("not found", "looked in " + ", ".join(map(paths.short, listing.looked)))
        lines.append("    layout")
        for line in corpus.layout.splitlines():
            lines += textwrap.wrap(
                line.strip(), WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 12, break_long_words=False
            )
    for finding in listing.findings:
        stands_in = " (the sample: rendered people stand in for it)" if finding.origin == "sample" else ""
        lines += _wrapped("found", paths.short(finding.folder) + stands_in)
        if finding.problem:
            lines += _wrapped("unusable", finding.problem)
            continue
        people = "person" if finding.people == 1 else "people"
        lines += _wrapped("clips", f"{sum(finding.clips.values())} usable, of {finding.people} {people}")
        if finding.excluded:
            some = list(finding.excluded.items())[:3]
            more = f"; {len(finding.excluded) - 3} more reasons" if len(finding.excluded) > 3 else ""
            reasons = "; ".join(f"{count} × {reason}" for reason, count in some)
            lines += _wrapped("excluded", f"{sum(finding.excluded.values())}: {reasons}{more}")
    return "\n".join(lines)


def _table(listings: list[Listing]) -> str:
    header = ["corpus", *EMOTIONS, "clips", "people", "excluded", "place"]
    rows = [
        [
            listing.corpus.name,
            *(str(finding.clips[emotion]) for emotion in EMOTIONS),
            str(sum(finding.clips.values())),
            str(finding.people),
            str(sum(finding.excluded.values())),
            finding.origin,
        ]
        for listing in listings
        for finding in listing.findings
        if not finding.problem
    ]
    if not rows:
        return 'No corpus was found. Run "microx data render" to make the sample.'
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ["Usable clips of each class, people, and what is excluded:"]
    for name, *numbers, place in [header, *rows]:
        middle = "  ".join(number.rjust(width) for number, width in zip(numbers, widths[1:-1], strict=True))
        lines.append(f"{name:<{widths[0]}}  {middle}  {place}")
    return "\n".join(lines)


def _wrapped(word: str, text: str) -> list[str]:
    """Return lines of at most WIDTH characters, `word` before the first; a path that is longer stays whole."""
    lead = f"{'':4}{word:<12}"
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )
