"""General charts, one call each: a table in, one chart out. pandas and seaborn draw, `style` gives the look.

Every function draws into `ax`, or into a new figure of page width, and returns the Axes. `title` says what is shown,
and `caption`, best made by `style.caption_data`, on which data, split and n. Further keywords go to `Axes.set`:
`xlabel="epoch"`, `ylim=(0, 1)`, `yscale="log"`. Emotions, components, training and validation have their own
colours, other groups those of `PALETTE` in order. An empty table or group raises ValueError, a missing column KeyError.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
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
    ink_on,
    new_axes,
    write_head,
)

_SMALL: dict[str, Any] = {"fontsize": 7.5, "color": MUTED}

PALETTE = (HELD_OUT_COLOUR, "#b2182b", MUTED, "#e8b000", "#332288", "#33bbee")
"""Colours of groups without a colour of their own, in this order; told apart with every kind of colour vision."""


def draw_lines(
    table: pd.DataFrame | pd.Series,
    *,
    levels: Mapping[str, float] | None = None,
    marker: str = "",
    colours: Sequence[str] | None = None,
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
    **settings: Any,
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
    """
    table = _filled(table)
    palette = _colours(table.columns, colours)
    alone, ax = ax is None, ax or new_axes(2.7)
    for name, colour in palette.items():
        ax.plot(table.index, table[name], color=colour, marker=marker, ms=4)
    for value in (levels or {}).values():
        ax.axhline(value, color=MUTED, linewidth=0.9, linestyle=":")
    ax.grid(axis="y")
    ax.margins(x=0.02)
    if pd.api.types.is_integer_dtype(table.index):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(**{"xlabel": table.index.name or "", **settings})
    ends = [(str(name), table[name].dropna().iloc[-1], colour) for name, colour in palette.items()]
    if table.shape[1] == 1 and "ylabel" in settings:
        ends = []
    _name_ends(ax, [*ends, *((name, value, MUTED) for name, value in (levels or {}).items())])
    return _finish(ax, alone, title, caption)


def draw_bars(
    table: pd.DataFrame | pd.Series,
    *,
    form: str = "{:,g}",
    colours: Sequence[str] | None = None,
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
    **settings: Any,
) -> Axes:
    """Draw a horizontal bar for each row with its number, written by `form`; with several columns, a bar for each."""
    table = _filled(table)
    groups = table.shape[1]
    alone, ax = ax is None, ax or new_axes(0.9 + (0.12 + 0.2 * groups) * len(table) + 0.2 * (groups > 1))
    palette = _colours(table.columns, colours)
    table.plot.barh(ax=ax, color=list(palette.values()), width=0.75, legend=False)
    if groups == 1:  # rows may have colours of their own
        for bar, colour in zip(ax.patches, _colours(table.index, one=palette[table.columns[0]]).values(), strict=True):
            bar.set_facecolor(colour)
    for bars in ax.containers:
        ax.bar_label(bars, fmt=form.format, padding=3, fontsize=8)  # type: ignore[arg-type]
    ax.margins(x=0.1)
    ax.set_ylabel("")
    ax.set(**settings)
    return _finish(ax, alone, title, caption, rows=table.index, legend=groups > 1)


def draw_dots(
    table: pd.DataFrame,
    *,
    reference: tuple[str, float] | None = None,
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
    **settings: Any,
) -> Axes:
    """Draw a dot for each value, a line joining those of a row: the same thing measured two or three ways.

    `reference` is the name and the place of a dotted line, such as ("chance", CHANCE).
    """
    table = _filled(table)
    alone, ax = ax is None, ax or new_axes(1.3 + 0.24 * len(table))
    rows = np.arange(len(table))
    ax.hlines(rows, table.min(axis=1), table.max(axis=1), color=RULE, linewidth=3)
    for k, (name, colour) in enumerate(_colours(table.columns).items()):
        fill = colour if k == 0 else "none"  # rings, so that equal values stay visible
        ax.plot(table[name], rows, "o", ms=6 + 2.5 * k, mfc=fill, mec=colour, mew=1.5, label=str(name))
    if reference:
        ax.axvline(reference[1], color=MUTED, linewidth=0.9, linestyle=":", label=reference[0])
    ax.set(**settings)
    return _finish(ax, alone, title, caption, rows=table.index, legend=True)


def draw_intervals(
    table: pd.DataFrame,
    value: str,
    *,
    groups: Sequence[str] = ("",),
    seeds: Mapping[str, Sequence[float]] | None = None,
    form: str = "{:.1%}",
    reference: tuple[str, float] | None = ("chance", CHANCE),
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
    **settings: Any,
) -> Axes:
    """Draw a row for each value: a dot with its interval and number, and the paper's value as a diamond.

    Parameters
    ----------
    table
        Indexed by the rows' labels, with the columns `value`, low and high and, if there are such, paper (NaN: none)
        and group (one of `groups`).
    groups
        What the rows' colours mean; a legend names them.
    seeds
        Row label -> values of single seeds, drawn as ticks.
    form
        How numbers are written; "" writes none.
    reference
        Name and place of a vertical line, dotted unless at zero.
    """
    if table.empty:
        raise ValueError("an empty table; wanted a row for each interval")
    mark = table["group"] if "group" in table else pd.Series(groups[0], index=table.index)
    if not set(mark) <= set(groups):
        raise ValueError(
            f"groups {sorted(set(mark) - set(groups))} are in the table only; `groups` names {list(groups)}"
        )
    paper = table.get("paper")
    single = [(x, y) for y, label in enumerate(table.index) for x in (seeds or {}).get(str(label), ())]
    legend = len(groups) > 1 or paper is not None or bool(single)
    alone, ax = ax is None, ax or new_axes(1.1 + 0.15 * legend + (0.34 if len(table) < 12 else 0.2) * len(table))
    rows, offset = np.arange(len(table)), 0.17 if paper is not None else 0.0
    for group, colour in _colours(groups).items():
        mine = (mark == group).to_numpy()
        low, high = table.loc[mine, "low"], table.loc[mine, "high"]
        ax.hlines(rows[mine] - offset, low, high, color=colour, linewidth=2.4, alpha=0.55)
        ax.plot(table.loc[mine, value], rows[mine] - offset, "o", color=colour, ms=6, label=group or "ours")
    if single:
        x, y = np.transpose(single)
        ax.plot(x, y - offset, "|", color=INK, ms=8, mew=1, label="one seed")
    if paper is not None:
        ax.plot(paper, rows + offset, "D", color="white", ms=5.5, mec=MUTED, mew=1.2, label="paper (BAUM)")
    for row in rows if form else ():
        _write_beside(ax, _write(form, table[value].iloc[row]), table["high"].iloc[row], row - offset, INK)
        if paper is not None and pd.notna(paper.iloc[row]):
            _write_beside(ax, _write(form, paper.iloc[row]), paper.iloc[row], row + offset, MUTED)
    if reference:
        name, x = reference
        name += f" {_write(form, x)}" if form and x else ""
        ax.axvline(x, color=MUTED if x else INK, linewidth=0.9, linestyle=":" if x else "-", label=name if x else None)
        if x and not legend:
            ax.annotate(name, (x, 0), (3, 3), xycoords=ax.get_xaxis_transform(), textcoords="offset points", **_SMALL)
    if "%" in form:
        write_percent(ax.xaxis)
    ax.set(**settings)
    return _finish(ax, alone, title, caption, rows=table.index, legend=legend)


def draw_heatmap(
    table: pd.DataFrame,
    *,
    form: str = "{:.0f}",
    bar: str = "",
    vmin: float | None = 0,
    vmax: float | None = None,
    cmap: str = "Blues",
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
    **settings: Any,
) -> Axes:
    """Draw a table's numbers as colours; missing cells are grey.

    Parameters
    ----------
    form
        How the numbers are written into the cells; "" writes none.
    bar
        Label of a colour bar; without it there is none.
    vmin, vmax
        Values of the palest and the darkest colour; None takes the table's own.
    """
    if table.empty:
        raise ValueError("an empty table; wanted a row and a column at least")
    alone, ax = ax is None, ax or new_axes(0.9 + 0.32 * len(table))
    values = table.to_numpy(float)
    text = np.vectorize(form.format, otypes=[str])(values) if form else False
    gaps = 1.2 if values.shape[1] <= 25 else 0
    look = {"cmap": cmap, "vmin": vmin, "vmax": vmax, "linewidths": gaps, "cbar_kws": {"label": bar, "pad": 0.01}}
    sns.heatmap(
        table.rename(_words, axis=0).rename(_words, axis=1),
        ax=ax,
        annot=text,
        fmt="",
        annot_kws={"size": 8.5},
        cbar=bool(bar),
        **look,
    )
    ax.set_facecolor(RULE)
    cells = np.asarray(ax.collections[0].get_facecolor())[np.isfinite(values).ravel()]
    for number, cell in zip(ax.texts, cells, strict=False):  # no texts without a form
        number.set_color(ink_on(cell))  # seaborn's own choice has less contrast
    ax.tick_params(length=0, rotation=0)
    ax.set(**{"xlabel": "", "ylabel": "", **settings})
    return _finish(ax, alone, title, caption)


def draw_histograms(
    values: Mapping[str, ArrayLike] | pd.DataFrame,
    *,
    bins: int | Sequence[float] | str = "auto",
    marks: Mapping[str, float] | None = None,
    colours: Sequence[str] | None = None,
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
    **settings: Any,
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
    alone, ax = ax is None, ax or new_axes(2.7)
    edges = np.histogram_bin_edges(np.concatenate(list(groups.values())), bins)
    alpha = 1.0 if len(groups) == 1 else 0.55
    for name, colour in _colours(groups, colours).items():
        sns.histplot(groups[name], bins=edges, color=colour, alpha=alpha, edgecolor="white", label=name, ax=ax)
    for (name, x), dash in zip((marks or {}).items(), ("--", ":", "-."), strict=False):
        ax.axvline(x, color=INK, linewidth=1, linestyle=dash, label=name)
    ax.grid(axis="y")
    ax.set(**settings)
    return _finish(ax, alone, title, caption, legend=len(groups) > 1 or bool(marks))


def draw_strips(
    table: pd.DataFrame,
    x: str,
    y: str,
    *,
    hue: str | None = None,
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
    **settings: Any,
) -> Axes:
    """Draw a dot for each row along `x`, in a strip for each name in column `y`, with a line at its median.

    `hue` is a column whose names the colours tell apart. A wide table comes as `table.melt()`, x="value", y="variable".
    """
    groups = [str(name) for name in table[y].unique()]
    if not groups:
        raise ValueError("an empty table; wanted a row for each dot")
    alone, ax = ax is None, ax or new_axes(1.2 + 0.35 * len(groups))
    names = groups if hue is None else list(table[hue].unique())
    palette = _colours(names, one=HELD_OUT_COLOUR if hue is None else None)
    rows = table[y].astype(str).map(groups.index) + np.random.default_rng(0).uniform(-0.25, 0.25, len(table))
    for name, colour in palette.items():
        mine = (table[hue] == name) if hue else table[y].astype(str) == name
        ax.plot(table.loc[mine, x], rows[mine], "o", color=colour, ms=3.5, mew=0, alpha=0.7, label=name)
    for row, name in enumerate(groups):
        ax.vlines(table.loc[table[y].astype(str) == name, x].median(), row - 0.36, row + 0.36, color=INK, linewidth=1.5)
    ax.set(**{"xlabel": x, **settings, "ylabel": ""})
    return _finish(ax, alone, title, caption, rows=pd.Index(groups), legend=hue is not None)


def draw_scatter(
    table: pd.DataFrame,
    x: str,
    y: str,
    *,
    hue: str | None = None,
    diagonal: str = "",
    size: float = 5.0,
    colours: Sequence[str] | None = None,
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
    **settings: Any,
) -> Axes:
    """Draw a dot for each row, coloured by column `hue`; `diagonal` names a dashed line along x = y."""
    if table.empty:
        raise ValueError("an empty table; wanted a row for each dot")
    alone, ax = ax is None, ax or new_axes(3.4)
    names = [""] if hue is None else list(table[hue].unique())
    for name, colour in _colours(names, colours).items():
        mine = table if hue is None else table[table[hue] == name]
        ax.plot(mine[x], mine[y], "o", color=colour, ms=size, mec="white", mew=0.1 * size, alpha=0.8, label=name)
    if diagonal:
        ends = [min(0.0, table[[x, y]].min().min()), table[[x, y]].max().max()]
        ax.plot(ends, ends, color=MUTED, linewidth=1, linestyle="--", label=diagonal)
    ax.grid()
    ax.set(**{"xlabel": x, "ylabel": y, **settings})
    return _finish(ax, alone, title, caption, legend=hue is not None or bool(diagonal))


def write_percent(axis: Axis) -> None:
    """Write the ticks of an axis of shares, 0 to 1, in per cent."""
    axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def _filled(table: pd.DataFrame | pd.Series) -> pd.DataFrame:
    """Return a table with a number in every column, a Series as one column."""
    table = table.to_frame() if isinstance(table, pd.Series) else table
    empty = [name for name in table.columns if not table[name].notna().any()]
    if table.empty or empty:
        raise ValueError(f"no numbers in {empty or 'the table'}; wanted some in every column")
    return table


def _colours(names: Iterable[Any], given: Sequence[str] | None = None, *, one: str | None = None) -> dict[Any, str]:
    """Return a colour for each name: those given, its own, `one` for all, or the next of the palette."""
    names = list(names)
    own = {"training": TRAIN_COLOUR, "validation": HELD_OUT_COLOUR} | EMOTION_COLOURS | COMPONENT_COLOURS
    keys = [str(name).replace(" ", "_") for name in names]
    if given is not None:
        chosen = list(given)
    elif all(key in own for key in keys):
        chosen = [own[key] for key in keys]
    else:
        chosen = [one] * len(names) if one else list(PALETTE)
    if len(chosen) < len(names):
        raise ValueError(f"{len(chosen)} colours for {len(names)} groups {names}; wanted one each. Pass `colours`.")
    return dict(zip(names, chosen, strict=False))


def _name_ends(ax: Axes, ends: Sequence[tuple[str, float, str]]) -> None:
    """Write names at the right edge, each at the height of its value as far as they don't overlap."""
    if not ends:
        return
    gap = 11 / (0.7 * ax.get_window_extent().height / ax.figure.dpi * 72)  # of the height; a title takes some of it
    y = [ax.transAxes.inverted().transform(ax.transData.transform((0, value)))[1] for _, value, _ in ends]
    order = np.argsort(y, kind="stable")
    places = np.clip(np.array(y)[order], 0, 1)
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + gap)
    places -= max(0.0, places[-1] - 1)
    for k in reversed(range(len(places) - 1)):
        places[k] = min(places[k], places[k + 1] - gap)
    for (name, _, colour), place in zip((ends[k] for k in order), places, strict=True):
        at: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
        ax.annotate(name, (1, place), (4, 0), **at, va="center", fontsize=8, color=colour, annotation_clip=False)


def _words(label: Any) -> str:
    return str(label).replace("_", " ")


def _write(form: str, number: float) -> str:
    """Format a number, with the space before a per cent sign that all figures have."""
    return form.format(number).replace("%", " %")


def _write_beside(ax: Axes, text: str, x: float, y: float, colour: str) -> None:
    ax.annotate(text, (x, y), (6, 0), textcoords="offset points", va="center", fontsize=8, color=colour)


def _finish(
    ax: Axes, alone: bool, title: str, caption: str, *, rows: pd.Index | None = None, legend: bool = False
) -> Axes:
    """Name the rows from the top, and put the legend between head and chart.

    Where there is only this chart, the head stands over the whole page: long names of rows leave its Axes little width.
    """
    if rows is not None:
        ax.set_yticks(range(len(rows)), [_words(label) for label in rows])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.grid(visible=False, axis="y")
        ax.grid(axis="x")
    if legend:
        place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.01, 1), "ncols": 5}
        ax.legend(**place, borderpad=0.3, columnspacing=1.2, handlelength=1.4)
    if title and alone:
        write_head(figure_of(ax), title, caption)
    elif title:
        write_head(ax, title, caption, blank_lines=int(legend))
    return ax
