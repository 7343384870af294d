"""The answer of the whole course, from the ledger: one picture and three sentences."""

import re
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from microx_utils.course import claims, ledger, paper
from microx_utils.course.gallery import standing
from microx_utils.course.ledger_plots import COLOURS, HATCHES
from microx_utils.plots.style import MUTED, WIDTH, ink_on, write_head

GROUPS = {
    "held": (claims.REPRODUCED, claims.CONSISTENT),
    "did not hold": (claims.DIFFERS, claims.CONTRADICTED),
    "can't be told": (claims.UNTESTABLE, claims.UNSETTLED),
    "choices, no evidence": (claims.ADOPTED, claims.NOT_ADOPTED),
    "no verdict yet": (ledger.STALE, ledger.NOT_RUN, ledger.NO_NOTEBOOK),
}
"""What the verdicts mean for the paper, in the order of the picture."""
NAMED = 2
"""Claims of one kind that a sentence quotes; the others are counted."""


def percent(value: Any) -> str:
    """Return a share as the course writes it.

    >>> percent(0.5517)
    '55.2 %'
    """
    return f"{100 * value:.1f} %"


def listed(parts: Sequence[str]) -> str:
    """Return words as a list in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def quoted(rows: pd.DataFrame) -> str:
    """Return the statements of the first claims of some rows, without their parentheses, and how many more there are.

    >>> quoted(pd.DataFrame({"statement": ["Happy is best", "Fear is (7) worst", "It runs"]}))
    '“Happy is best”, “Fear is worst” and 1 more'
    """
    said = [f"“{re.sub(r' ?[(].*?[)]', '', text)}”" for text in rows["statement"].iloc[:NAMED]]
    return listed([*said, *([f"{len(rows) - NAMED} more"] if len(rows) > NAMED else [])])


def _having(table: pd.DataFrame, *verdicts: str) -> pd.DataFrame:
    return table[standing(table).isin(verdicts)]


def what_held(table: pd.DataFrame) -> str:
    """Say which claims held: those put to a test, and the places where the paper can be compared with itself."""
    held, tested = _having(table, claims.REPRODUCED), _having(table, claims.REPRODUCED, claims.DIFFERS)
    audits = table[table["kind"] == "audit"]
    agree = len(_having(audits, claims.CONSISTENT))
    if tested.empty:
        first = "No claim has been put to a test that could decide it"
    elif held.empty:
        first = f"None of the {len(tested)} claims that could be decided was reproduced"
    else:
        first = f"Of {len(tested)} claims that could be decided, {len(held)} held: {quoted(held)}"
    return f"{first}; of {len(audits)} places where the paper can be compared with itself, {agree} agree."


def what_did_not(table: pd.DataFrame) -> str:
    """Say which claims did not hold, and where the paper contradicts itself most often."""
    differ, broken = _having(table, claims.DIFFERS), _having(table, claims.CONTRADICTED)
    first = f"What was found differs from {quoted(differ)}" if len(differ) else "No claim that could be decided differs"
    if broken.empty:
        return f"{first}; the paper nowhere contradicts itself."
    counts, titles = broken["section"].value_counts(), paper.value("sections")
    section = next(name for name in titles if counts.get(name) == counts.max())
    return (
        f"{first}; and in {len(broken)} places the paper contradicts itself, most often in section {section}, "
        f"“{titles[section]}” ({counts.max()})."
    )


def what_cannot_be_told(table: pd.DataFrame) -> str:
    """Say what the paper's numbers leave open, and how far apart two scores must be to differ beyond doubt."""
    scores, untestable = table[table["kind"] == "score"], _having(table, claims.UNTESTABLE)
    parts = []
    if len(untestable):
        are, them = ("claims are", "them") if len(untestable) > 1 else ("claim is", "it")
        parts.append(
            f"{len(untestable)} {are} about the paper's own faces, and scores on rendered people neither support nor "
            f"refute {them}"
        )
    parts.append(f"none of the paper's {len(scores)} scores comes with an interval or a split rule")
    known = scores[(scores["status"] == ledger.RECORDED) & scores["interval"].notna()]
    if len(known):
        half = statistics.median(high - low for low, high in known["interval"]) / 2
        parts.append(f"half of ours are uncertain by more than ±{100 * half:.1f} points, over other people alone")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}. {own_accuracy(table)}".strip()


def own_accuracy(table: pd.DataFrame) -> str:
    """Say what MicroX scored here, with all that a score needs; "" if that is not recorded."""
    row = table.loc["table_1_accuracy"]
    if row["status"] != ledger.RECORDED:
        return ""
    interval = f"95 % interval {' to '.join(map(percent, row['interval']))}" if row["interval"] else "no interval"
    where = f"{interval}; {row['data']}; {row['split']} split; chance {percent(row['chance'])}"
    unseen = " of people it had never seen" if row["split"] == "subject" else ""
    return (
        f"MicroX itself read the labelled expression{unseen} in {percent(row['ours'])} of {row['n']:,} test segments "
        f"({where})."
    )


def tell_story(table: pd.DataFrame) -> dict[str, str]:
    """Return what held, what didn't, and what the paper's numbers can't tell: heading -> a sentence or two.

    `table` is a `ledger.read_ledger`. Nothing is said that is not computed from it, so it holds for any data.
    """
    return {
        "What held": what_held(table),
        "What did not": what_did_not(table),
        "What the paper's numbers can't tell": what_cannot_be_told(table),
    }


def as_markdown(story: dict[str, str]) -> str:
    """Return a story's paragraphs in Markdown."""
    return "\n\n".join(f"**{heading}.** {text}" for heading, text in story.items())


def group_counts(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return how many claims have each verdict, by group of `GROUPS`; empty groups are left out."""
    counts = standing(table).value_counts()
    found = {group: {name: int(counts[name]) for name in names if name in counts} for group, names in GROUPS.items()}
    return {group: inner for group, inner in found.items() if inner}


def story_alt(table: pd.DataFrame) -> str:
    """Return the text for readers who can't see the picture of `draw_story`."""
    groups = (f"{sum(inner.values())} {group}" for group, inner in group_counts(table).items())
    return f"One square for each of the paper's {len(table)} claims, in rows: {'; '.join(groups)}."


def draw_story(table: pd.DataFrame, *, title: str, caption: str = "") -> Figure:
    """Draw one square for each claim of a ledger, in a row for each group of `GROUPS`, coloured by its verdict."""
    groups, columns = group_counts(table), 24
    lines = {group: -(-sum(inner.values()) // columns) for group, inner in groups.items()}
    fig, ax = plt.subplots(figsize=(WIDTH, 1.3 + 0.22 * sum(lines.values()) + 0.16 * len(lines)))
    y, ticks, seen = 0.0, [], set()
    for group, inner in groups.items():
        ticks.append((y + (lines[group] - 1) / 2, f"{group}: {sum(inner.values())}"))
        for place, name in enumerate(_each(inner)):
            line, column = divmod(place, columns)
            look: dict[str, Any] = {"facecolor": COLOURS[name], "edgecolor": MUTED if name in HATCHES else "white"}
            label = "" if name in seen else name
            ax.bar(column, 0.86, 0.86, y + line - 0.43, hatch=HATCHES.get(name), lw=0.5, label=label, **look)
            if label:  # the first square of a verdict holds its number
                ink = ink_on(to_rgb(COLOURS[name]))
                box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6} if name in HATCHES else None
                ax.text(column, y + line, f"{inner[name]}", ha="center", va="center", fontsize=6.5, color=ink, bbox=box)
            seen.add(name)
        y += lines[group] + 0.7
    ax.set(xlim=(-0.7, columns - 0.3), ylim=(y - 0.9, -0.7), aspect="equal", xticks=[])
    ax.set_yticks([place for place, _ in ticks], [text for _, text in ticks], fontsize=9)
    ax.tick_params(axis="y", length=0)
    ax.spines[:].set_visible(False)
    ax.grid(False)
    fig.legend(loc="outside lower left", ncols=2, fontsize=7.5)
    write_head(fig, title, caption)
    return fig


def _each(counts: dict[str, int]) -> Iterable[str]:
    """Yield each name as often as it is counted."""
    for name, number in counts.items():
        yield from [name] * number
