"""What the widgets share: controls that redraw what is shown, errors in place, and a still where nothing is live.

A widget is a plain function `draw` of the controls' values. It returns what is to be seen, by name: pictures (`Seen`),
tables (a DataFrame), text (a string) or trusted HTML (`Html`). `Live` shows that, and calls `draw` again when a control
changes.
"""

import html
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import anywidget
import ipywidgets
import traitlets

from microx_utils.course.safe_html import WIDGET_TYPE
from microx_utils.widgets.shown import Content, Html, Seen, to_html, view_of


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
