"""General charts, one call each: a table in, one chart out. pandas and seaborn draw, `style` gives the look.

Every function takes the keywords of `Look` too and returns the Axes. Emotions, components, training and validation
have their own colours, other groups those of `PALETTE` in order. Empty data raise ValueError.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from microx_utils.labels import CHANCE
from microx_utils.plots.canvas import figure_of
from microx_utils.plots.style import (
    COMPONENT_COLOURS,
    EMOTION_COLOURS,
    HELD_OUT_COLOUR,
    INK,
    MUTED,
    RULE,
    TRAIN_COLOUR,
    draw_chance,
    ink_on,
    legend_above,
    new_axes,
    write_beside,
    write_head,
    write_percent,
)

PALETTE = (HELD_OUT_COLOUR, "#b2182b", MUTED, "#e8b000", "#332288", "#33bbee")
"""Colours of groups without a colour of their own, in this order; told apart with every kind of colour vision."""

_OWN_COLOURS = {"training": TRAIN_COLOUR, "validation": HELD_OUT_COLOUR} | EMOTION_COLOURS | COMPONENT_COLOURS


class Look(TypedDict, total=False):
    """Keywords of every chart: `title` and `caption` above it, `colours` of its groups, the `ax` to draw into.

    `title` says what is shown, and `caption`, best made by `style.caption_data`, on which data, split and n. Without
    `ax` there is a new figure of page width. All other keywords go to `Axes.set`.
    """

    title: str
    caption: str
    colours: Sequence[str] | None
    ax: Axes | None
    xlabel: str
    ylabel: str
    xlim: Any
    ylim: Any
    xscale: str
    yscale: str
    xticks: Any
    yticks: Any


def draw_lines(
    table: pd.DataFrame | pd.Series,
    *,
    levels: Mapping[str, float] | None = None,
    marker: str = "",
    ends: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    **look: Unpack[Look],
) -> Axes:
    """Draw a line for each column over the index, named at its right end; missing values leave gaps.

    Parameters
    ----------
    table
        The index is the x axis: epochs, steps, seconds.
    levels
        Name -> y of dotted level lines, such as {"chance": 1 / 7}.
    marker
        matplotlib's marker of single values, such as "o".
    ends
        Low and high of an interval around each value, of the table's shape; drawn as a band.
    """
    table = _filled(table)
    palette = _colours(table.columns, look)
    ax = look.get("ax") or new_axes(2.7)
    for name, colour in palette.items():
        ax.plot(table.index, table[name], color=colour, marker=marker, ms=4)
        if ends:
            ax.fill_between(table.index, ends[0][name], ends[1][name], color=colour, alpha=0.15, linewidth=0)
    for value in (levels or {}).values():
        ax.axhline(value, color=MUTED, linewidth=0.9, linestyle=":")
    ax.margins(x=0.02)
    if pd.api.types.is_integer_dtype(table.index):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _finish(ax, look, grid="y", xlabel=table.index.name or "")
    names = [(str(name), table[name].dropna().iloc[-1], colour) for name, colour in palette.items()]
    if len(names) == 1 and look.get("ylabel"):  # the axis names it
        names = []
    _name_ends(ax, [*names, *((name, value, MUTED) for name, value in (levels or {}).items())])
    return ax


def draw_bars(table: pd.DataFrame | pd.Series, *, form: str = "{:,g}", **look: Unpack[Look]) -> Axes:
    """Draw a horizontal bar for each row with its number, written by `form`; with several columns, a bar for each."""
    table = _filled(table)
    groups = table.shape[1]
    palette = _colours(table.columns, look)
    ax = look.get("ax") or new_axes(0.9 + (0.12 + 0.2 * groups) * len(table) + 0.2 * (groups > 1))
    table.plot.barh(ax=ax, color=list(palette.values()), width=0.75, legend=False)
    if groups == 1:  # rows may have colours of their own
        for bar, colour in zip(ax.patches, _colours(table.index, look, one=HELD_OUT_COLOUR).values(), strict=True):
            bar.set_facecolor(colour)
    for bars in ax.containers:
        ax.bar_label(bars, fmt=form.format, padding=3, fontsize=8)  # type: ignore[arg-type]
    ax.margins(x=0.1)
    return _finish(ax, look, rows=table.index, legend=groups > 1, ylabel="")


def draw_dots(table: pd.DataFrame, *, reference: tuple[str, float] | None = None, **look: Unpack[Look]) -> Axes:
    """Draw a dot for each value, a line joining those of a row: the same thing measured two or three ways.

    `reference` is the name and the place of a dotted line, such as ("chance", CHANCE).
    """
    table = _filled(table)
    ax = look.get("ax") or new_axes(1.3 + 0.24 * len(table))
    rows = np.arange(len(table))
    ax.hlines(rows, table.min(axis=1), table.max(axis=1), color=RULE, linewidth=3)
    for k, (name, colour) in enumerate(_colours(table.columns, look).items()):
        fill = "none" if k else colour  # rings, so that equal values stay visible
        ax.plot(table[name], rows, "o", ms=6 + 2.5 * k, mfc=fill, mec=colour, mew=1.5, label=str(name))
    if reference:
        ax.axvline(reference[1], color=MUTED, linewidth=0.9, linestyle=":", label=reference[0])
    return _finish(ax, look, rows=table.index, legend=True)


def draw_intervals(
    table: pd.DataFrame,
    value: str = "accuracy",
    *,
    groups: Sequence[str] = ("ours",),
    seeds: Mapping[str, Sequence[float]] | None = None,
    form: str = "{:.1%}",
    reference: tuple[str, float] | None = ("chance", CHANCE),
    **look: Unpack[Look],
) -> Axes:
    """Draw a row for each value: a dot with its interval and number, and the paper's value as a diamond.

    Parameters
    ----------
    table
        Indexed by the rows' labels, with the columns `value`, low and high and, if there are such, n, paper (NaN: none)
        and group (one of `groups`).
    groups
        What the rows' colours mean; a legend names them.
    seeds
        Row label -> values of single seeds, drawn as ticks.
    form
        How numbers are written, on a scale from 0 to 1 if in per cent; "" writes none.
    reference
        Name and place of a vertical line; at zero the values are differences, and the axis shows their signs.
    """
    mark = table["group"] if "group" in table else pd.Series(groups[0], index=table.index)
    if table.empty or not set(mark) <= set(groups):
        raise ValueError(f"groups {sorted(set(mark))} in the table; wanted one or more of {list(groups)}")
    paper = table.get("paper", pd.Series(np.nan, index=table.index))
    offset = 0.17 if "paper" in table else 0.0
    single = [(x, y - offset) for y, label in enumerate(table.index) for x in (seeds or {}).get(str(label), ())]
    legend = len(groups) > 1 or "paper" in table or bool(single)
    sizes = [f"\n(n = {n:,.0f})" for n in table["n"]] if "n" in table else [""] * len(table)
    labels = pd.Index([f"{label}{size}" for label, size in zip(table.index, sizes, strict=True)])
    lines = 1 + max(label.count("\n") for label in labels)
    height = 0.2 if lines == 1 and len(table) >= 12 else max(0.34, 0.15 * lines)  # inches per row
    ax = look.get("ax") or new_axes(1.1 + 0.15 * legend + height * len(table))
    rows = np.arange(len(table))

    def write(number: float) -> str:
        return form.format(number).replace("%", " %")  # with a space, as everywhere

    for group, colour in _colours(groups, look).items():
        mine = (mark == group).to_numpy()
        low, high = table.loc[mine, "low"], table.loc[mine, "high"]
        ax.hlines(rows[mine] - offset, low, high, color=colour, linewidth=2.4, alpha=0.55)
        ax.plot(table.loc[mine, value], rows[mine] - offset, "o", color=colour, ms=6, label=group)
    if single:
        ax.plot(*np.transpose(single), "|", color=INK, ms=8, mew=1, label="one seed")
    if "paper" in table:
        ax.plot(paper, rows + offset, "D", color="white", ms=5.5, mec=MUTED, mew=1.2, label="paper (BAUM)")
    ends = table["high"].fillna(table[value])  # one person has no interval
    for row, ours, high, theirs in zip(rows, table[value], ends, paper, strict=True):
        write_beside(ax, write(ours), (high, row - offset))
        if pd.notna(theirs):
            write_beside(ax, write(theirs), (theirs, row + offset), color=MUTED)
    if reference and reference[1]:
        draw_chance(ax, *reference, across=False, named=not legend)
    elif reference:
        ax.axvline(0, color=INK, linewidth=0.9)
        ax.xaxis.set_major_formatter(lambda difference, _: f"{difference:+g}" if difference else "0")
    if "%" in form:
        ax.set_xlim(0, 1.06)
        write_percent(ax.xaxis)
    return _finish(ax, look, rows=labels, legend=legend)


def draw_heatmap(
    table: pd.DataFrame,
    *,
    form: str = "{:.0f}",
    text: ArrayLike | None = None,
    bar: str = "",
    vmin: float | None = 0,
    vmax: float | None = None,
    cmap: str = "Blues",
    **look: Unpack[Look],
) -> Axes:
    """Draw a table's numbers as colours; missing cells are grey.

    Parameters
    ----------
    form
        How the numbers are written into the cells; "" writes none.
    text
        What is written instead of the numbers, of the table's shape.
    bar
        Label of a colour bar; without it there is none.
    vmin, vmax
        Values of the palest and the darkest colour; None takes the table's own.
    """
    if table.empty:
        raise ValueError("an empty table; wanted a row and a column at least")
    ax = look.get("ax") or new_axes(0.9 + 0.32 * len(table))
    table = table.rename(_words, axis=0).rename(_words, axis=1).astype(float)
    room = ax.get_window_extent().width / figure_of(ax).dpi * 72 / table.shape[1]  # points a column
    written = np.vectorize(form.format, otypes=[str])(table) if text is None else np.asarray(text)
    lines = {"linewidths": 1.2 if room > 15 else 0, "cbar": bool(bar), "cbar_kws": {"label": bar, "pad": 0.01}}
    numbers = {"annot": written if form else False, "fmt": "", "annot_kws": {"size": 8.5 if room > 33 else 7}}
    sns.heatmap(table, vmin=vmin, vmax=vmax, cmap=cmap, ax=ax, **lines, **numbers)
    ax.set_facecolor(RULE)  # shows through where there is no number
    cells = np.asarray(ax.collections[0].get_facecolor())[np.isfinite(table.to_numpy()).ravel()]
    for number, cell in zip(ax.texts, cells, strict=False):  # there are no texts without a form
        number.set_color(ink_on(cell))  # seaborn's own choice has less contrast
    ax.tick_params(length=0, rotation=0)
    if max(map(len, table.columns)) * 4.6 > room:
        ax.tick_params(axis="x", rotation=35)
        for label in ax.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    return _finish(ax, look, grid=None, xlabel="", ylabel="")


def draw_histograms(
    values: Mapping[str, ArrayLike] | pd.DataFrame,
    *,
    bins: ArrayLike = "auto",
    marks: Mapping[str, float] | None = None,
    **look: Unpack[Look],
) -> Axes:
    """Draw the distributions of groups over each other, in common bins.

    Parameters
    ----------
    values
        Name -> numbers of any length.
    bins
        A number, edges or a rule of `numpy.histogram_bin_edges`.
    marks
        Name -> x of vertical lines, such as {"measured": 0.4}.
    """
    groups = {str(name): np.asarray(numbers, float).ravel() for name, numbers in values.items()}
    if not groups or not all(map(len, groups.values())):
        raise ValueError(f"no values in {[name for name, own in groups.items() if not len(own)]}; wanted some in each")
    ax = look.get("ax") or new_axes(2.7)
    edges = np.histogram_bin_edges(np.concatenate(list(groups.values())), bins)
    alpha = 1.0 if len(groups) == 1 else 0.55
    for name, colour in _colours(groups, look).items():
        sns.histplot(groups[name], bins=edges, color=colour, alpha=alpha, edgecolor="white", label=name, ax=ax)
    for (name, x), dash in zip((marks or {}).items(), ("--", ":", "-."), strict=False):
        ax.axvline(x, color=INK, linewidth=1, linestyle=dash, label=name)
    return _finish(ax, look, grid="y", legend=len(groups) > 1 or bool(marks))


def draw_strips(
    table: pd.DataFrame, x: str, y: str, *, hue: str | None = None, marked: Any = None, **look: Unpack[Look]
) -> Axes:
    """Draw a dot for each row along `x`, in a strip for each name in column `y`, with a line at its median.

    `hue` is a column whose names the colours tell apart; the dots named `marked` are large and ringed. A wide table
    comes as `table.melt()`, x="value", y="variable".
    """
    if table.empty:
        raise ValueError("an empty table; wanted a row for each dot")
    strips = table[y].astype(str)
    medians = table[x].groupby(strips, sort=False).median()
    ax = look.get("ax") or new_axes(1.2 + 0.35 * len(medians))
    places = strips.map(medians.index.get_loc) + np.random.default_rng(0).uniform(-0.25, 0.25, len(table))
    groups = table[hue] if hue else strips
    for name, colour in _colours(groups.unique(), look, one=None if hue else HELD_OUT_COLOUR).items():
        mine = groups == name
        dot = {"ms": 8, "mec": INK, "mew": 1.5, "zorder": 3} if name == marked else {"ms": 3.5, "mew": 0, "alpha": 0.7}
        ax.plot(table.loc[mine, x], places[mine], "o", color=colour, label=name, **dot)
    rows = np.arange(len(medians))
    ax.vlines(medians, rows - 0.36, rows + 0.36, color=INK, linewidth=1.5)
    return _finish(ax, look, rows=medians.index, legend=hue is not None, xlabel=x)


def draw_scatter(
    table: pd.DataFrame, x: str, y: str, *, hue: str | None = None, diagonal: str = "", **look: Unpack[Look]
) -> Axes:
    """Draw a dot for each row, coloured by column `hue`; `diagonal` names a dashed line along x = y."""
    if table.empty:
        raise ValueError("an empty table; wanted a row for each dot")
    ax = look.get("ax") or new_axes(3.4)
    groups = table[hue] if hue else pd.Series("", index=table.index)
    for name, colour in _colours(groups.unique(), look).items():
        mine, size = table[groups == name], 5 if len(table) < 500 else 2.5
        ax.plot(mine[x], mine[y], "o", color=colour, ms=size, mec="white", mew=0.1 * size, alpha=0.8, label=name)
    if diagonal:
        ends = [min(0.0, table[[x, y]].min().min()), table[[x, y]].max().max()]
        ax.plot(ends, ends, color=MUTED, linewidth=1, linestyle="--", label=diagonal)
    return _finish(ax, look, grid="both", legend=bool(hue or diagonal), xlabel=x, ylabel=y)


def _filled(table: pd.DataFrame | pd.Series) -> pd.DataFrame:
    """Return a table with a number in every column, a Series as one column."""
    table = table.to_frame() if isinstance(table, pd.Series) else table
    empty = [name for name in table.columns if not table[name].notna().any()]
    if table.empty or empty:
        raise ValueError(f"no numbers in {empty or 'the table'}; wanted some in every column")
    return table


def _colours(names: Iterable[Any], look: Look, *, one: str | None = None) -> dict[Any, str]:
    """Return a colour for each name: those given, its own, `one` for all, or the next of the palette."""
    names = list(names)
    keys = [str(name).replace(" ", "_") for name in names]
    own = [_OWN_COLOURS[key] for key in keys if key in _OWN_COLOURS]
    fallback = own if len(own) == len(names) else [one] * len(names) if one else PALETTE
    chosen = look.get("colours") or fallback
    if len(chosen) < len(names):
        raise ValueError(f"{len(chosen)} colours for {len(names)} groups {names}; wanted one each. Pass `colours`.")
    return dict(zip(names, chosen, strict=False))


def _name_ends(ax: Axes, ends: Sequence[tuple[str, float, str]]) -> None:
    """Write names at the right edge, each as near to the height of its value as they don't overlap."""
    ax.get_ylim()  # the scale follows what was drawn, which transData alone doesn't ask for
    gap = 11 / (0.7 * ax.get_window_extent().height / figure_of(ax).dpi * 72)  # of the height; a title takes some of it
    to_height = ax.transData + ax.transAxes.inverted()
    ends = sorted(ends, key=lambda end: end[1])
    places = np.clip([to_height.transform((0, value))[1] for _, value, _ in ends], 0, 1)
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + gap)
    places -= max(0.0, *places - 1) if len(places) else 0.0
    for k in reversed(range(len(places) - 1)):
        places[k] = min(places[k], places[k + 1] - gap)
    for (name, _, colour), place in zip(ends, places, strict=True):
        write_beside(ax, name, (1, place), color=colour, xycoords="axes fraction", annotation_clip=False)


def _words(label: Any) -> str:
    return str(label).replace("_", " ")


def _finish(
    ax: Axes,
    look: Look,
    *,
    rows: pd.Index | None = None,
    grid: Any = "x",
    legend: bool = False,
    **settings: Any,
) -> Axes:
    """Name the rows from the top, put the legend between head and chart, and apply the caller's look.

    Where there is only this chart, the head stands over the whole page: long names of rows leave its Axes little width.
    """
    if rows is not None:
        ax.set_yticks(range(len(rows)), [_words(label) for label in rows])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(rows) - 0.4, -0.6)
    if grid:
        ax.grid(axis=grid)
    if legend:
        legend_above(ax)
    ax.set(
        **settings | {name: value for name, value in look.items() if name not in ("title", "caption", "colours", "ax")}
    )
    title, caption = look.get("title", ""), look.get("caption", "")
    if title and not look.get("ax"):
        write_head(figure_of(ax), title, caption)
    elif title:
        write_head(ax, title, caption, blank_lines=int(legend))
    return ax
