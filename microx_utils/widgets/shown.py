"""What a widget can show: pictures with alt text, tables, text, and drawings in HTML; live, or as a still."""

import html
import io
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

import anywidget
import cv2
import ipywidgets
import numpy as np
import pandas as pd
import traitlets
from matplotlib.figure import Figure
from numpy.typing import NDArray


class Seen(NamedTuple):
    """A picture with its alt text: RGB uint8 (H, W, 3), or a matplotlib figure, which is closed once it is drawn."""

    picture: NDArray[np.uint8] | Figure
    alt: str
    width: int | None = None  # CSS pixels; the picture's own, unless given


class Html(str):
    """HTML made by this package, in which everything that comes from data is escaped. Plain strings are text."""


class Linked(Html):
    """HTML with links to notebooks, such as "06_evaluation.ipynb#cell-id=cell-62", which JupyterLab opens itself.

    It goes to the cell if the notebook is open already; otherwise it opens the notebook at its top.
    """


class LinkedView(ipywidgets.Output):
    """Shows HTML as a cell's output: JupyterLab follows the links in those, and not the links in an HTML widget."""

    value = traitlets.Unicode()

    @traitlets.observe("value")
    def _shown(self, change: Any) -> None:
        data = {"text/html": change["new"]}
        self.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)


Content = Seen | Html | pd.DataFrame | str


class Picture(anywidget.AnyWidget):
    """A picture with alt text. The old one stays until the new one is decoded, so nothing flickers."""

    _esm = """
    function render({ model, el }) {
      const img = document.createElement("img");
      img.style.maxWidth = "100%";
      el.append(img);
      let url = null, latest = 0;
      async function draw() {
        const mine = ++latest;
        const next = URL.createObjectURL(new Blob([model.get("png")], { type: "image/png" }));
        const ready = new Image();
        ready.src = next;
        await ready.decode();
        if (mine !== latest) { URL.revokeObjectURL(next); return; }
        img.src = next;
        img.alt = model.get("alt");
        img.width = model.get("width");
        if (url) URL.revokeObjectURL(url);
        url = next;
      }
      model.on("change:png", draw);
      draw();
      return () => { model.off("change:png", draw); if (url) URL.revokeObjectURL(url); };
    }
    export default { render };
    """
    png = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    width = traitlets.Int().tag(sync=True)

    def show(self, seen: Seen) -> None:
        """Show another picture."""
        png, width = encode(seen)
        with self.hold_sync():
            self.alt, self.width, self.png = seen.alt, width, png


def view_of(content: Content) -> Any:
    """Return a widget that shows something from the start: a busy page may draw it before it hears of a change."""
    if isinstance(content, Seen):
        png, width = encode(content)
        return Picture(png=png, alt=content.alt, width=width)
    return (LinkedView if isinstance(content, Linked) else ipywidgets.HTML)(value=to_html(content))


def encode(seen: Seen) -> tuple[bytes, int]:
    """Return a picture as PNG, and the width at which to show it, in CSS pixels."""
    if isinstance(seen.picture, Figure):
        from matplotlib import pyplot  # slow to import

        file = io.BytesIO()
        seen.picture.savefig(file, format="png", dpi=110)
        pyplot.close(seen.picture)
        return file.getvalue(), seen.width or round(96 * seen.picture.get_figwidth())
    picture = seen.picture
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"a picture has shape {picture.shape} and type {picture.dtype}; wanted uint8 (H, W, 3), RGB")
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]  # in half the usual time
    done, png = cv2.imencode(".png", picture[:, :, ::-1], fast)
    if not done:
        raise ValueError(f"OpenCV could not encode a picture of shape {picture.shape}")
    return png.tobytes(), seen.width or picture.shape[1]


def to_html(content: Content) -> Html:
    """Return what is to be seen as HTML that needs no front end: pictures are embedded, text is escaped."""
    if isinstance(content, Html):
        return content
    if isinstance(content, Seen):
        png, width = encode(content)
        source = f"data:image/png;base64,{b64encode(png).decode()}"
        return Html(f'<img src="{source}" alt="{html.escape(content.alt)}" width="{width}" style="max-width:100%">')
    if isinstance(content, pd.DataFrame):
        table = content.to_html(escape=True, border=0)
        return Html(re.sub(r"<(t[hd])>", r'<\1 style="padding:0.1em 0.6em;text-align:left">', table))
    return Html(f"<p>{html.escape(content)}</p>")


def bars(shares: pd.Series | pd.DataFrame, colours: Mapping[str, str], *, label: str) -> Html:
    """Return shares from 0 to 1 as horizontal bars: one group for each row, one bar for each column of a table.

    Drawn as HTML, which takes a tenth of a millisecond where a matplotlib figure takes fifty; the numbers stand beside
    the bars, so that a screen reader reads them.
    """
    table = shares.to_frame("") if isinstance(shares, pd.Series) else shares
    lines = []
    for name, row in table.iterrows():
        for column, share in row.items():
            words = html.escape(" ".join(filter(None, [str(name), str(column)])))
            colour = colours.get(str(name), colours.get(str(column), "#5f6368"))
            bar = f'<div style="width:{100 * share:.1f}%;background:{colour};height:0.8em"></div>'
            lines.append(
                f'<tr><th scope="row" style="text-align:left;font-weight:normal">{words}</th>'
                f'<td style="width:10em"><div style="background:#eceef0">{bar}</div></td>'
                f'<td style="text-align:right">{share:.0%}</td></tr>'
            )
    caption = f'<caption style="caption-side:top;text-align:left">{html.escape(label)}</caption>'
    return Html(f"<table style='line-height:1.5'>{caption}<tbody>{''.join(lines)}</tbody></table>")


def lines(
    table: pd.DataFrame,
    colours: Mapping[str, str],
    *,
    label: str,
    bottom: float = 0.0,
    top: float | None = None,
    at: float | None = None,
) -> Html:
    """Return a line for each column over the index, `bottom` to `top`, as a drawing in HTML; missing values leave gaps.

    As quick as `bars`. `at` is a place on the x axis to mark: the numbers of the row there stand below the lines.
    """
    numbers = table.to_numpy(float)
    if top is None:
        top = float(np.nanmax(numbers)) if np.isfinite(numbers).any() else 0.0
    top = top if top > bottom else bottom + 1.0

    def height(value: float) -> float:
        return 110 - 100 * (min(max(value, bottom), top) - bottom) / (top - bottom)

    x = np.asarray(table.index, float)
    low, span = x[0], (x[-1] - x[0]) or 1.0
    across = 40 + 400 * (x - low) / span
    drawn = []
    for level in (bottom, (bottom + top) / 2, top):
        y = height(level)
        drawn.append(f'<path d="M40 {y:.0f}H440" stroke="currentColor" opacity="0.25"/>')
        drawn.append(f'<text x="36" y="{y + 4:.0f}" text-anchor="end">{level:.3g}</text>')
    drawn += [
        f'<text x="{40 + 400 * k}" y="126" text-anchor="middle">{place:g}</text>' for k, place in enumerate(x[[0, -1]])
    ]
    keys = []
    row = None if at is None else int(np.abs(x - at).argmin())
    for name, values in zip(map(str, table.columns), numbers.T, strict=True):
        good, pen, path = np.isfinite(values), "M", ""
        for k in range(len(x)):
            path += f"{pen}{across[k]:.1f} {height(values[k]):.1f}" if good[k] else ""
            pen = "L" if good[k] else "M"
        drawn.append(f'<path d="{path}" fill="none" stroke="{colours[name]}" stroke-width="1.8"/>')
        number = "" if row is None else f" {values[row]:.3g}" if good[row] else " nothing"
        swatch = f'<span style="display:inline-block;width:1em;height:0.3em;background:{colours[name]}"></span>'
        keys.append(f'<span style="white-space:nowrap">{swatch} {html.escape(name)}{number}</span>')
    if row is not None:
        drawn.append(f'<path d="M{across[row]:.1f} 6V110" stroke="currentColor" stroke-dasharray="3 2"/>')
    words = html.escape(label)
    return Html(
        f'<figure style="margin:0;max-width:30em"><figcaption>{words}</figcaption>'
        f'<svg viewBox="0 0 460 130" role="img" aria-label="{words}" style="width:100%" font-size="11" '
        f'fill="currentColor">{"".join(drawn)}</svg>'
        f'<div style="display:flex;flex-wrap:wrap;column-gap:1.2em">{"".join(keys)}</div></figure>'
    )
