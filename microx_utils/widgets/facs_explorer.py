"""The FACS explorer: action units drive a rendered face, and a trained network says what it takes the face for."""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import ipywidgets
import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray

from microx_utils.components import COMPONENTS, block_parts
from microx_utils.faces import render_still
from microx_utils.faces.action_units import EXPRESSIONS, TWO_SIDED, UNIT_NAMES
from microx_utils.faces.held import Sight, held_probabilities, look_at
from microx_utils.labels import EMOTIONS
from microx_utils.plots.style import EMOTION_COLOURS
from microx_utils.trackers.mesh import MeshTracker
from microx_utils.training import Run
from microx_utils.widgets.live import Live, button, choice, slider
from microx_utils.widgets.shown import Content, Html, Seen, bars

GROUPS = {
    "Brows": (1, 2, 4),
    "Eyes": (5, 7, 43),
    "Nose and cheeks": (6, 9),
    "Lip corners": (12, 14, 15, 20),
    "Lips": (10, 16, 18, 22, 23, 24),
    "Jaw and chin": (17, 25, 26, 27),
}
"""The action units as the controls are grouped."""

PEOPLE = (80, 98, 91, 93, 88, 113)
"""Rendered people who are not in data/sample, so that no network of the course has seen them."""

LIGHTS = {
    "studio": ("studio", 0),
    "a room": ("varied", 0),
    "another room": ("varied", 1),
    "outdoors": ("outdoor", 0),
    "outdoors, other sun": ("outdoor", 1),
}
"""Name -> scene of the renderer and its seed."""

ANGLES = {
    "yaw": ("head to the person's left (°)", 60),
    "pitch": ("head up (°)", 40),
    "roll": ("head tilted (°)", 40),
    "gaze_left": ("eyes to the person's left (°)", 25),
    "gaze_up": ("eyes up (°)", 20),
}
"""Name -> what it is called and how far it goes each way, in degrees."""

CROP_SHOWN = 64  # px
HELD = "The network sees this one frame ten times over: a face that is held, where its clips move."


class Sides(ipywidgets.HBox):
    """Two sliders, 0 to 1, for the person's right and left side of one action unit; `value` is (right, left).

    While `together()` is true, moving one moves the other.
    """

    value = traitlets.Tuple(traitlets.Float(), traitlets.Float(), default_value=(0.0, 0.0))

    def __init__(self, unit: int, together: Callable[[], bool]) -> None:
        self.description, self._together, self._setting = f"AU{unit}", together, False
        self.right, self.left = (_strength(f"AU{unit} {side}") for side in ("right", "left"))
        for each in (self.right, self.left):
            each.observe(self._moved, "value")
        self.observe(self._set, "value")
        super().__init__([self.right, self.left], layout=ipywidgets.Layout(flex="1 1 22em", flex_flow="row wrap"))

    def _moved(self, change: Any) -> None:
        if not self._setting:
            new = change["new"]
            self.value = (new, new) if self._together() else (self.right.value, self.left.value)

    def _set(self, change: Any) -> None:
        self._setting = True
        self.right.value, self.left.value = self.value
        self._setting = False


def _strength(description: str) -> Any:
    made = slider(description, 0.0, 1.0, step=0.05)
    made.layout = ipywidgets.Layout(flex="1 1 13em", min_width="13em", width="auto")
    return made


def control_name(unit: int) -> str:
    """Return the name of an action unit's control.

    >>> control_name(4)
    'au04'
    """
    return f"au{unit:02d}"


def units_of(values: Mapping[str, Any]) -> dict[int | str, float]:
    """Return the action units, without those at rest, that the controls' values stand for.

    >>> units_of({"au12": (0.5, 0.5), "au14": (0.0, 1.0), "au26": 0.3, "au27": 0.0})
    {12: 0.5, '14L': 1.0, 26: 0.3}
    """
    units: dict[int | str, float] = {}
    for unit in UNIT_NAMES:
        value = values.get(control_name(unit), 0.0)
        right, left = value if isinstance(value, tuple) else (value, value)
        sides = {unit: right} if right == left else {f"{unit}R": right, f"{unit}L": left}
        units |= {name: strength for name, strength in sides.items() if strength}
    return units


def values_for(units: Mapping[int | str, float]) -> dict[str, Any]:
    """Return values for the controls of all action units; those that are not given are at rest.

    >>> values = values_for({12: 0.5, "14L": 1.0})
    >>> values["au12"], values["au14"], values["au26"]
    ((0.5, 0.5), (0.0, 1.0), 0.0)
    """
    values: dict[str, Any] = {}
    for unit in UNIT_NAMES:
        right, left = (units.get(unit, 0.0) + units.get(f"{unit}{side}", 0.0) for side in "RL")
        values[control_name(unit)] = right if unit in TWO_SIDED else (right, left)
    return values


def in_facs(units: Mapping[int | str, float]) -> str:
    """Return action units in words.

    >>> in_facs({12: 0.5, "14L": 1.0})
    'AU12 0.50 + AU14L 1.00'
    """
    return " + ".join(f"AU{unit} {strength:.2f}" for unit, strength in units.items()) or "no action unit: neutral"


def draw_face(values: Mapping[str, Any], size: int) -> NDArray[np.uint8]:
    """Return the face that the controls' values stand for: uint8 (size, size, 3) RGB."""
    scene, seed = LIGHTS[values["light"]]
    yaw, pitch, roll, gaze_left, gaze_up = (np.radians(values[name]) for name in ANGLES)
    return render_still(
        values["person"],
        units_of(values),
        size=(size, size),
        scene=scene,
        seed=seed,
        mask=values["mask"],
        pose=(yaw, pitch, roll),
        gaze=(gaze_left, gaze_up),
    )


def describe(values: Mapping[str, Any]) -> str:
    """Return the alt text of the face that the controls' values stand for."""
    turned = [f"{label[:-4]} {values[name]}°" for name, (label, _) in ANGLES.items() if values[name]]
    parts = [f"rendered person {values['person']}", values["light"], *(["with a mask"] if values["mask"] else [])]
    return f"{', '.join([*parts, *turned])}; {in_facs(units_of(values))}"


class Answers:
    """A trained network and the tracker of its pipeline, ready to be asked about one picture after another."""

    def __init__(self, run: Run) -> None:
        self.experiment, self._model, self._tracker = run.experiment, run.load_model(), MeshTracker()
        self.seen = [part for block in run.experiment.components for part in block_parts(block)]

    def __call__(self, picture: NDArray[np.uint8]) -> dict[str, Content]:
        """Return what is to be seen of the network's answer: its crops, seven bars, and what there is to say."""
        size, style = self.experiment.crop_size, self.experiment.crop_style
        sight = look_at(picture, self._tracker, size=size, style=style)  # type: ignore[arg-type]
        crops = Seen(self._strip(sight), f"What the network sees, from left to right: {self._names()}")
        if not sight.found:
            lost = "No face was found. Such a frame has no crops, so there is nothing to ask the network about."
            return {
                "answer": Html(f'<p role="status">{lost}</p>'),
                "crops": crops,
                "note": f"Not seen: {self._names()}.",
            }
        (shares,) = held_probabilities(self._model, self.experiment, sight.crops[None], batch=1)
        answer = bars(pd.Series(shares, EMOTIONS), EMOTION_COLOURS, label="The network's answer")
        outside = [name for name, there in zip(COMPONENTS, sight.available, strict=True) if not there]
        outside = [name.replace("_", " ") for name in outside if name in self.seen]
        cut = f" Partly outside the picture: {', '.join(outside)}." if outside else ""
        return {"answer": answer, "crops": crops, "note": f"Seen, from left to right: {self._names()}. {HELD}{cut}"}

    def _names(self) -> str:
        return ", ".join(name.replace("_", " ") for name in self.seen)

    def _strip(self, sight: Sight) -> NDArray[np.uint8]:
        side = (CROP_SHOWN, CROP_SHOWN)
        shown = [sight.crops[COMPONENTS.index(name)] for name in self.seen]
        large = [cv2.resize(crop, side, interpolation=cv2.INTER_NEAREST) for crop in shown]
        gap = np.full((CROP_SHOWN, 4, 3), 255, np.uint8)
        return np.hstack([part for crop in large for part in (crop, gap)][:-1])


def facs_explorer(run: Run | None = None, *, people: Sequence[int] = PEOPLE, size: int = 256) -> Live:
    """Return the explorer: a slider for each side of each action unit, person, light, mask and pose, and the face.

    Parameters
    ----------
    run
        The run whose network answers; None shows the face alone. The pictures it is asked about are as large on the
        face as those of the sample.
    people
        Seeds of the rendered people to choose from.
    size
        Side of the picture, px.
    """
    together = ipywidgets.Checkbox(value=True, description="both sides together", indent=False)
    controls: dict[str, Any] = {}
    for unit in (unit for units in GROUPS.values() for unit in units):
        one = unit in TWO_SIDED
        controls[control_name(unit)] = _strength(f"AU{unit}") if one else Sides(unit, lambda: together.value)
    controls["person"] = choice("person", [(f"person {person}", person) for person in people])
    controls["light"] = choice("light", list(LIGHTS))
    controls["mask"] = ipywidgets.Checkbox(value=False, description="surgical mask", indent=False)
    for angle, (label, most) in ANGLES.items():
        controls[angle] = slider(label, -most, most, value=0)
        controls[angle].layout = ipywidgets.Layout(width="100%")
    answers = Answers(run) if run else None

    def draw(**values: Any) -> dict[str, Content]:
        picture = draw_face(values, size)
        shown: dict[str, Content] = {"face": Seen(picture, describe(values), 320)}
        words = html.escape(in_facs(units_of(values)))
        shown["units"] = Html(f'<p style="max-width:320px;min-height:2.8em;margin:0;line-height:1.4">{words}</p>')
        return shown | (answers(picture) if answers else {})

    def press(expression: str) -> Any:
        words = "all action units at rest" if expression == "neutral" else f"the textbook's {expression}"
        return button(expression, lambda: live.set(**values_for(EXPRESSIONS.get(expression, {}))), tooltip=words)

    def arrange(controls: Mapping[str, Any], views: Mapping[str, Any]) -> Any:
        return _arranged(controls, views, [press(name) for name in EMOTIONS], together)

    live = Live(draw, controls, title="FACS explorer", arrange=arrange)
    return live


def _arranged(controls: Mapping[str, Any], views: Mapping[str, Any], presets: list[Any], together: Any) -> Any:
    """Put the face and what is said of it on the left, the sliders on the right: below it where the page is narrow."""
    wrapped = ipywidgets.Layout(flex_flow="row wrap", grid_gap="4px 12px", align_items="flex-start")
    groups = {
        title: ipywidgets.VBox([_row(unit, controls[control_name(unit)]) for unit in units])
        for title, units in GROUPS.items()
    }
    groups["Person, light, mask"] = ipywidgets.VBox([controls[name] for name in ("person", "light", "mask")])
    groups["Head and gaze"] = ipywidgets.VBox([controls[name] for name in ANGLES])
    accordion = ipywidgets.Accordion(list(groups.values()), titles=tuple(groups), selected_index=3)
    accordion.layout = ipywidgets.Layout(flex="9 1 24em", min_width="17em", width="auto")
    seen = ipywidgets.HBox(
        [
            ipywidgets.VBox([views["face"], views["units"]]),
            ipywidgets.VBox([views[name] for name in ("answer", "crops", "note") if name in views]),
        ],
        layout=ipywidgets.Layout(flex_flow="row wrap", grid_gap="4px 12px", flex="1 1 19em", width="auto"),
    )
    above = ipywidgets.HBox([*presets, together], layout=wrapped)
    return ipywidgets.VBox([above, ipywidgets.HBox([seen, accordion], layout=wrapped)])


def _row(unit: int, control: Any) -> Any:
    label = ipywidgets.Label(UNIT_NAMES[unit], layout=ipywidgets.Layout(flex="0 0 10em"))
    return ipywidgets.HBox([label, control], layout=ipywidgets.Layout(flex_flow="row wrap"))
