"""What the widgets share: controls that redraw what is shown, errors in place, and a still where nothing is live.

A widget is a plain function `draw` of the controls' values. It returns what is to be seen, by name: pictures (`Seen`),
tables (a DataFrame), text (a string) or trusted HTML (`Html`). `Live` shows that, and calls `draw` again when a control
changes.
"""

import html
import io
import re
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import anywidget
import cv2
import ipywidgets
import numpy as np
import pandas as pd
import traitlets
from matplotlib.figure import Figure
from numpy.typing import NDArray

from microx_utils.course.notebook_html import WIDGET_TYPE


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


class Heading(anywidget.AnyWidget):
    """A widget's heading. It also gives names, for screen readers, to what ipywidgets leaves without: the widget as a
    whole, and the handles of its sliders."""

    _esm = """
    function render({ model, el }) {
      const heading = document.createElement("strong");
      heading.textContent = model.get("title");
      el.append(heading);
      let watch = null, place = requestAnimationFrame(look);
      function look() {
        const root = el.closest(".microx-widget");
        if (!root) { place = requestAnimationFrame(look); return; }
        root.setAttribute("role", "group");
        root.setAttribute("aria-label", model.get("title"));
        const name = () => root.querySelectorAll(".noUi-handle:not([aria-label])").forEach((handle) => {
          const label = handle.closest(".widget-slider").querySelector(".widget-label");
          if (label?.textContent) handle.setAttribute("aria-label", label.textContent);
        });
        watch = new MutationObserver(name);
        watch.observe(root, { childList: true, subtree: true });
        name();
      }
      return () => { cancelAnimationFrame(place); watch?.disconnect(); };
    }
    export default { render };
    """
    _css = """
    .microx-widget { gap: 4px; padding: 4px; }
    .microx-widget .widget-html-content { line-height: 1.45; }
    .microx-widget .jupyter-widgets.widget-hslider { width: auto; }
    .microx-widget .widget-hslider .slider-container { min-width: 4em; }
    """
    title = traitlets.Unicode().tag(sync=True)


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


class Live:
    """Controls and what they show. Displayed by itself, as the last expression of a cell.

    The first drawing is made at once, and its errors are raised: a notebook that runs without a front end fails like
    any other. Later errors are shown in place, and the next change of a control tries again. ipywidgets sends a
    control's next value only once the last was dealt with, so dragging a slider never queues drawings.

    Parameters
    ----------
    draw
        Called with the controls' values by name; returns what is to be seen by name, always under the same names and
        of the same kinds.
    controls
        ipywidgets by name, each with a `value` and a `description`. They are shown in this order.
    arrange
        Puts the control and view widgets, each by name, into one widget. Unless given: the controls in a column, the
        views beside it, below it where the page is narrow.
    title
        What the widget is called, by its heading and to screen readers.
    still
        What stands in its place where nothing is live; the first drawing, unless given.
    adjust
        Called before each drawing: makes the controls agree with each other, such as a menu's options with the choice
        in another menu. What it changes causes no further drawing.
    """

    def __init__(
        self,
        draw: Callable[..., Mapping[str, Content]],
        controls: Mapping[str, Any],
        *,
        title: str,
        arrange: Callable[[Mapping[str, Any], Mapping[str, Any]], Any] | None = None,
        still: Html | None = None,
        adjust: Callable[[], None] | None = None,
    ) -> None:
        self._draw, self.controls, self.title, self._adjust = draw, dict(controls), title, adjust
        self._held = False
        self.shown = self._look()
        self._still = still_of(self.shown, title) if still is None else still
        self.views = {name: view_of(content) for name, content in self.shown.items()}
        self.problem = ipywidgets.HTML()
        for control in self.controls.values():
            control.observe(self._changed, "value")
        body = (arrange or side_by_side)(self.controls, self.views)
        self.root = ipywidgets.VBox([Heading(title=title), self.problem, body])
        self.root.add_class("microx-widget")

    @property
    def values(self) -> dict[str, Any]:
        """The controls' values by name."""
        return {name: control.value for name, control in self.controls.items()}

    def set(self, **values: Any) -> None:
        """Set several controls, and redraw once."""
        with self.hold():
            for name, value in values.items():
                self.controls[name].value = value

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Redraw once at the end, however many controls change meanwhile."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.refresh()

    def _look(self) -> dict[str, Content]:
        """Return what is to be seen, once the controls agree."""
        if self._adjust:
            held, self._held = self._held, True
            try:
                self._adjust()
            finally:
                self._held = held
        return dict(self._draw(**self.values))

    def refresh(self) -> None:
        """Draw again; an error is shown in place."""
        try:
            self.shown = self._look()
            for name, content in self.shown.items():
                self._put(name, content)
        except Exception as error:  # noqa: BLE001 - shown in place, with its traceback
            self.problem.value = problem_html(error)
        else:
            self.problem.value = ""

    def _changed(self, change: Any) -> None:
        if not self._held:
            self.refresh()

    def _put(self, name: str, content: Content) -> None:
        view = self.views[name]
        if isinstance(content, Seen):
            view.show(content)
        else:
            view.value = to_html(content)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Return the widget and, for whatever can't show one, a still of how it began."""
        live = self.root._repr_mimebundle_(**options)
        return {WIDGET_TYPE: live[WIDGET_TYPE], "text/html": self._still, "text/plain": self.title}


def problem_html(error: Exception) -> Html:
    """Return an error as a widget shows it: one line to read, and the traceback folded away."""
    line = html.escape(f"{type(error).__name__}: {error}")
    trace = html.escape("".join(traceback.format_exception(error)))
    return Html(f'<div role="alert">{line}<details><summary>Traceback</summary><pre>{trace}</pre></details></div>')


def still_of(shown: Mapping[str, Content], title: str) -> Html:
    """Return a widget's first drawing as HTML, for pages without a front end."""
    parts = "".join(f'<div style="flex:0 1 auto">{to_html(content)}</div>' for content in shown.values())
    note = f"{html.escape(title)} (a still: run the notebook in JupyterLab to use it)"
    return Html(
        f"<figure><figcaption>{note}</figcaption>"
        f'<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">{parts}</div></figure>'
    )


def side_by_side(controls: Mapping[str, Any], views: Mapping[str, Any]) -> Any:
    """Return the controls in a column with the views beside it; below it where the page is narrow."""
    column = ipywidgets.VBox(list(controls.values()))
    beside = ipywidgets.HBox(list(views.values()), layout=ipywidgets.Layout(flex_flow="row wrap", grid_gap="12px"))
    return ipywidgets.HBox([column, beside], layout=ipywidgets.Layout(flex_flow="row wrap", grid_gap="12px"))


def slider(description: str, start: float, stop: float, *, step: float = 1, value: float | None = None) -> Any:
    """Return a slider: whole numbers where all of its arguments are. It has the focus order and keys of the browser."""
    given = start if value is None else value
    whole = all(isinstance(number, int) for number in (start, stop, step, given))
    kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
    return kind(given, min=start, max=stop, step=step, description=description, style={"description_width": "auto"})


def choice(description: str, options: Sequence[Any], *, value: Any = None) -> Any:
    """Return a menu of options: values, or (label, value) pairs."""
    first = options[0][1] if isinstance(options[0], tuple) else options[0]
    return ipywidgets.Dropdown(
        options=list(options),
        value=first if value is None else value,
        description=description,
        style={"description_width": "auto"},
    )


def button(description: str, action: Callable[[], None], *, tooltip: str = "") -> Any:
    """Return a button that calls `action` when it is pressed. What it raises goes to the notebook's log, not a cell."""
    made = ipywidgets.Button(description=description, tooltip=tooltip or description, layout={"width": "auto"})
    made.on_click(lambda pressed: action())
    return made


def player(frames: Any, *, milliseconds: int = 1000 // 30) -> Any:
    """Return a slider of frames with buttons before it that play it, at most one frame in so many milliseconds.

    Frames that come faster than they can be drawn are left out. The last frame is that of the slider, always.
    """
    play = ipywidgets.Play(min=frames.min, max=frames.max, interval=milliseconds, show_repeat=False)
    ipywidgets.jslink((play, "value"), (frames, "value"))
    ipywidgets.dlink((frames, "max"), (play, "max"))
    return ipywidgets.HBox([play, frames], layout=ipywidgets.Layout(flex_flow="row wrap"))


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
