"""A matrix of counts: as a grid of buttons to choose a cell by, and as a table where nothing is live."""

import html
from typing import Any

import anywidget
import matplotlib as mpl
import numpy as np
import pandas as pd
import traitlets
from matplotlib.colors import to_hex

from microx_utils.plots.style import RULE, ink_on
from microx_utils.widgets.shown import Html


class Matrix(anywidget.AnyWidget):
    """A matrix whose cells are buttons: reached by Tab, left and right, up and down by the arrow keys.

    `cells` is what `matrix_cells` returns, and `value` the chosen cell as [row, column].
    """

    _esm = """
    function render({ model, el }) {
      let buttons = [];
      el.dataset.lmSuppressShortcuts = "true"; // or JupyterLab takes the arrow keys
      const place = () => model.get("value");
      function make(name, parent, text, options = {}) {
        const made = document.createElement(name);
        made.textContent = text;
        Object.assign(made, options);
        parent.append(made);
        return made;
      }
      function build() {
        const cells = model.get("cells");
        el.textContent = "";
        const table = make("table", el, "");
        table.setAttribute("role", "grid");
        table.setAttribute("aria-label", cells.title);
        table.style.cssText = "border-collapse:separate;border-spacing:2px;font-size:12px";
        const head = make("tr", table, "");
        make("th", head, cells.corner).style.cssText =
          "font-weight:normal;text-align:right;padding:0 6px;white-space:pre;line-height:1.4";
        for (const name of cells.columns)
          make("th", head, name, { scope: "col" }).style.cssText = "font-weight:normal;font-size:11px;padding:0";
        buttons = cells.rows.map((name, i) => {
          const row = make("tr", table, "");
          make("th", row, name, { scope: "row" }).style.cssText = "font-weight:normal;text-align:right;padding:0 6px";
          return cells.columns.map((_, j) => {
            const cell = make("td", row, ""), at = cells.cells[i][j];
            cell.style.padding = "0";
            const button = make("button", cell, at.text, { type: "button", title: at.says, disabled: !at.possible });
            button.setAttribute("aria-label", at.says);
            button.style.cssText = `width:58px;height:30px;border:0;border-radius:2px;font:inherit;
              cursor:${at.possible ? "pointer" : "default"};background:${at.fill};color:${at.ink}`;
            button.addEventListener("click", () => { model.set("value", [i, j]); model.save_changes(); });
            button.addEventListener("keydown", (event) => move(event, i, j));
            return button;
          });
        });
        mark();
      }
      function move(event, i, j) {
        const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
        if (!step) return;
        event.preventDefault();
        event.stopPropagation();
        let next = buttons[i += step[0]]?.[j += step[1]];
        while (next?.disabled) next = buttons[i += step[0]]?.[j += step[1]];
        next?.focus();
      }
      function mark() {
        const [row, column] = place();
        buttons.forEach((line, i) => line.forEach((button, j) => {
          const chosen = i === row && j === column;
          button.parentElement.setAttribute("aria-selected", chosen);
          button.style.boxShadow = chosen ? "0 0 0 2px #fff, 0 0 0 4px #b2182b" : "";
          button.style.position = chosen ? "relative" : "";
          button.tabIndex = chosen ? 0 : -1;
        }));
      }
      model.on("change:cells", build);
      model.on("change:value", mark);
      build();
      return () => { model.off("change:cells", build); model.off("change:value", mark); };
    }
    export default { render };
    """
    description = traitlets.Unicode().tag(sync=True)
    cells = traitlets.Dict().tag(sync=True)
    value = traitlets.List(traitlets.Int(), [0, 0]).tag(sync=True)


def matrix_cells(
    counts: pd.DataFrame,
    *,
    row: str = "labelled",
    column: str = "answered",
    unit: str = "segments",
    possible: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Return what a `Matrix` shows of counts; a cell is as dark as its share of its row, in the heat maps' colours.

    Parameters
    ----------
    counts
        int, with the names of rows and columns.
    row, column
        What happened to whom is in a row, and to whom in a column.
    unit
        What was counted.
    possible
        bool, of the same form: False for a cell that can't hold anything.
    """
    shares = (counts.to_numpy() / np.maximum(counts.sum(axis=1).to_numpy(), 1)[:, None]).tolist()
    shade = mpl.colormaps["Blues"]
    lines = []
    for place, (name, numbers) in enumerate(counts.iterrows()):
        line = []
        for other, (answer, number) in enumerate(numbers.items()):
            share = shares[place][other]
            fits = possible is None or bool(possible.to_numpy()[place, other])
            colour = shade(share)
            says = f"{row} {name}, {column} {answer}: {number} of {numbers.sum()} {unit} ({share:.0%})"
            cell = {"text": str(number), "says": says, "fill": to_hex(colour), "ink": ink_on(colour), "possible": fits}
            nothing = {"text": "–", "says": f"{row} {name}, {column} {answer}: impossible", "fill": RULE}
            line.append(cell if fits else cell | nothing)
        lines.append(line)
    title = f"{unit}: {row} (rows), {column} (columns)"
    names = {"rows": list(map(str, counts.index)), "columns": list(map(str, counts.columns))}
    return {
        "title": title,
        "corner": f"{row} \N{DOWNWARDS ARROW}\n{column} \N{RIGHTWARDS ARROW}",
        "cells": lines,
        **names,
    }


def matrix_html(cells: dict[str, Any]) -> Html:
    """Return the matrix of `matrix_cells` as a table."""
    plain = "font-weight:normal;padding:0 6px"
    head = "".join(f'<th scope="col" style="{plain}">{html.escape(name)}</th>' for name in cells["columns"])
    lines = []
    for name, line in zip(cells["rows"], cells["cells"], strict=True):
        boxes = "".join(
            f'<td title="{html.escape(at["says"])}" style="width:52px;height:28px;padding:0;text-align:center;'
            f'background:{at["fill"]};color:{at["ink"]}">{html.escape(at["text"])}</td>'
            for at in line
        )
        lines.append(f'<tr><th scope="row" style="{plain};text-align:right">{html.escape(name)}</th>{boxes}</tr>')
    return Html(
        f'<table style="border-collapse:separate;border-spacing:2px;font-size:12px">'
        f'<caption style="caption-side:top;text-align:left">{html.escape(cells["title"])}</caption>'
        f'<tr><th style="{plain};white-space:pre;line-height:1.4;text-align:right">{html.escape(cells["corner"])}</th>'
        f"{head}</tr>{''.join(lines)}</table>"
    )
