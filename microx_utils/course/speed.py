"""What `microx bench` measured, benchmarks/results.json: as tables for the README, and beside what was measured before.

A benchmark's entry is what `tools.measure.report` wrote: title, settings, rows, peak_memory, machine, commit.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from microx_utils.course.markdown import markdown_table
from microx_utils.course.records import read_json
from microx_utils.support import paths

RESULTS = paths.ROOT / "benchmarks" / "results.json"
LEAST = 0.1
"""Changes below a tenth are not told apart: as much differs from one run to the next with everything the same."""
SINGLE = 0.25
"""The same where a row was measured only once, such as a notebook."""

Entry = Mapping[str, Any]


def read_results() -> dict[str, Any]:
    """Return the entries of results.json by benchmark; {} before the first."""
    return read_json(RESULTS).get("benchmarks", {})


def spread(row: Entry) -> float:
    """Return the share of its median by which a row varies from round to round, at least LEAST.

    >>> spread({"products": [10, 8, 12], "n": 5}), spread({"products": [10, 10, 10], "n": 5})
    (0.4, 0.1)
    """
    median, low, high = row["products"]
    return max((high - low) / median, SINGLE if row["n"] == 1 else LEAST)


def why_incomparable(new: Entry, old: Entry | None) -> str:
    """Return why two entries of a benchmark can't be compared, or ""."""
    if old is None:
        return "no committed results"
    for what, part in (("processor", "machine"), ("cores", "machine")):
        if new[part].get(what) != old[part].get(what):
            return f"the committed results are of {old[part].get(what)} ({what}), these of {new[part].get(what)}"
    if new["settings"] != old["settings"]:
        names = [*new["settings"], *(name for name in old["settings"] if name not in new["settings"])]
        differing = [name for name in names if new["settings"].get(name) != old["settings"].get(name)]
        return f"other settings: {', '.join(differing)}"
    return ""


def slower(new: Entry, old: Entry) -> list[str]:
    """Return a line for each row of a benchmark that takes longer than before, by more than both runs' spread.

    Compared is the time in matrix products of the same round, so neither a faster machine nor a busier one counts.
    """
    before, lines = {row["name"]: row for row in old["rows"]}, []
    for row in new["rows"]:
        earlier = before.get(row["name"])
        if earlier is None or row["products"] is None or earlier["products"] is None:
            continue
        change = row["products"][0] / earlier["products"][0] - 1
        limit = max(spread(row), spread(earlier))
        if change > limit:
            lines.append(f"{row['name']}: {100 * change:.0f} % slower (spread {100 * limit:.0f} %)")
    return lines


def compare(new: Mapping[str, Entry], old: Mapping[str, Entry]) -> list[str]:
    """Return a line for each new entry that can't be compared, and one for each of its rows that got slower."""
    lines = []
    for name, entry in new.items():
        if reason := why_incomparable(entry, old.get(name)):
            lines.append(f"{name}: can't compare: {reason}")
            continue
        found = slower(entry, old[name])
        lines += [f"{name}: {line}" for line in found] or [f"{name}: nothing slower than at {old[name]['commit']}"]
    return lines


def number(value: float) -> str:
    """Return a number with three digits that count.

    >>> number(1234.6), number(12.34), number(0.4567), number(3)
    ('1,235', '12.3', '0.457', '3.00')
    """
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def speed_text(entries: Mapping[str, Entry]) -> str:
    """Return the README's part about speed in Markdown: a table of rows, and one of notebooks if they were run."""
    if not entries:
        return "Nothing was measured yet: run `make bench`."
    lines = [["what", "median", "middle half", "rounds", "memory"]]
    for name, entry in entries.items():
        if name == "notebooks":
            continue
        lines.append([f"**{entry['title']}**", "", "", "", gibibytes(entry["peak_memory"])])
        for row in slowest_each(entry["rows"]) if name == "widgets" else entry["rows"]:
            half = f"{number(row['low'])} to {number(row['high'])}"
            lines.append([row["name"], f"{number(row['median'])} {row['unit']}", half, str(row["n"]), ""])
    parts = [_where(entries), markdown_table(lines)]
    if "notebooks" in entries:
        parts.append(notebooks_table(entries["notebooks"]))
    return "\n\n".join(parts)


def slowest_each(rows: Sequence[Entry]) -> list[Entry]:
    """Return of each widget the control that takes longest: of rows called "widget: control"."""
    slowest: dict[str, Entry] = {}
    for row in rows:
        widget = row["name"].split(": ")[0]
        if widget not in slowest or row["median"] > slowest[widget]["median"]:
            slowest[widget] = row
    return list(slowest.values())


def notebooks_table(entry: Entry) -> str:
    """Return the processor time of each notebook, cold and warm, and its kernel's memory."""
    lines = [["notebook", "cold, s", "warm, s", "memory"]]
    seconds = {row["name"]: row["median"] for row in entry["rows"]}
    names = list(dict.fromkeys(name.rsplit(", ", 1)[0] for name in seconds))
    for name in names:
        cold, warm = (number(seconds[f"{name}, {run}"]) for run in ("cold", "warm"))
        lines.append([name, cold, warm, gibibytes(entry["memory"].get(name))])
    about = (
        f"{entry['title']}: seconds of processor time over all cores, that of joblib's processes included. *Cold*: "
        "nothing cached; what several notebooks need counts for the first. *Warm*: the same again."
    )
    return f"{about}\n\n{markdown_table(lines)}"


def gibibytes(count: float | None) -> str:
    """Return an amount of memory in GiB.

    >>> gibibytes(3 * 2**29), gibibytes(None)
    ('1.5 GiB', '–')
    """
    return "–" if count is None else f"{count / 2**30:.1f} GiB"


def _where(entries: Mapping[str, Entry]) -> str:
    """Return on what, and at which commits, the entries were measured."""
    machines: dict[str, list[str]] = {}
    for name, entry in entries.items():
        machine = entry["machine"]
        text = f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}"
        machines.setdefault(text, []).append(f"{name} at {entry['commit']}")
    return f"Measured on {'; '.join(f'{text} ({_joined(names)})' for text, names in machines.items())}."


def _joined(names: Sequence[str]) -> str:
    commits: dict[str, list[str]] = {}
    for text in names:
        name, commit = text.rsplit(" at ", 1)
        commits.setdefault(commit, []).append(name)
    return "; ".join(f"{', '.join(each)} at commit `{commit}`" for commit, each in commits.items())
