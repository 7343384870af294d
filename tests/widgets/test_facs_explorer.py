"""The FACS explorer: what its controls stand for, and what is shown of the face and of the network's answer."""

import dataclasses
import re
from typing import Any

import ipywidgets
import numpy as np
import pytest
from tiny_run import TINY, fake_store

from microx_utils.components import PAPER_COMPONENTS
from microx_utils.faces import render_still
from microx_utils.faces.action_units import ACTION_UNITS, EXPRESSIONS, TWO_SIDED, UNIT_NAMES
from microx_utils.faces.held import held_probabilities, look_at
from microx_utils.faces.sample_plan import BAUM1_PEOPLE, BAUM2_PEOPLE, OWN_PEOPLE
from microx_utils.labels import EMOTIONS
from microx_utils.trackers.mesh import MeshTracker
from microx_utils.training import Run, train
from microx_utils.widgets.facs_explorer import (
    GROUPS,
    LIGHTS,
    PEOPLE,
    Sides,
    control_name,
    draw_face,
    facs_explorer,
    units_of,
    values_for,
)
from microx_utils.widgets.live import Live

REST: dict[str, Any] = {
    "person": 80,
    "light": "studio",
    "mask": False,
    "yaw": 0,
    "pitch": 0,
    "roll": 0,
    "gaze_left": 0,
    "gaze_up": 0,
}
SIZE = 128


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    experiment = dataclasses.replace(TINY, components=PAPER_COMPONENTS, epochs=1)
    return train(experiment, fake_store(), cache=tmp_path_factory.mktemp("runs"), progress=False)


@pytest.fixture
def live(run: Run) -> Live:
    return facs_explorer(run, size=SIZE)


def test_every_action_unit_of_the_renderer_has_one_control() -> None:
    grouped = [unit for units in GROUPS.values() for unit in units]
    assert sorted(grouped) == sorted(UNIT_NAMES) == sorted([*ACTION_UNITS, 43])


@pytest.mark.parametrize("unit", sorted(UNIT_NAMES))
def test_a_unit_has_two_sides_exactly_where_the_face_can_show_one(unit: int) -> None:
    right, left = (render_still(80, {f"{unit}{side}": 1.0}, size=(SIZE, SIZE)).astype(int) for side in ("R", "L"))
    same = np.abs(right - left).mean() < 0.05
    assert same == (unit in TWO_SIDED)


def test_nobody_of_the_sample_is_offered() -> None:
    assert not set(PEOPLE) & {*BAUM1_PEOPLE, *BAUM2_PEOPLE, *OWN_PEOPLE}


def test_all_expressions_survive_the_controls() -> None:
    assert {"neutral", *EXPRESSIONS} == set(EMOTIONS)
    for units in EXPRESSIONS.values():
        assert units_of(values_for(units)) == units


def test_the_face_follows_the_controls() -> None:
    rest = draw_face(REST | values_for({}), SIZE)
    smile = draw_face(REST | values_for({12: 1.0}), SIZE)
    rows = np.flatnonzero(np.abs(smile.astype(int) - rest).max(axis=(1, 2)) > 30)
    assert rows.min() > 0.45 * SIZE  # a smile is in the lower half
    assert (rest == render_still(80, {}, size=(SIZE, SIZE))).all()
    changes: tuple[dict[str, Any], ...] = (
        {"mask": True},
        {"person": 98},
        {"yaw": 20},
        {"gaze_left": 20},
        *({"light": name} for name in LIGHTS if name != "studio"),
    )
    for change in changes:
        assert np.abs(draw_face(REST | values_for({}) | change, SIZE).astype(int) - rest).mean() > 0.05, change


def test_the_persons_right_is_on_the_left_of_the_picture() -> None:
    wink_right: dict[int | str, float] = {"43R": 1.0}
    rest, wink = (draw_face(REST | values_for(units), SIZE).astype(int) for units in ({}, wink_right))
    columns = np.flatnonzero(np.abs(wink - rest).max(axis=(0, 2)) > 30)
    assert columns.max() < SIZE / 2


def test_sides_move_together_only_while_they_shall() -> None:
    together = [True]
    sides, seen = Sides(12, lambda: together[0]), []
    sides.observe(lambda change: seen.append(change["new"]), "value")
    sides.right.value = 0.5
    assert (sides.left.value, sides.value, seen) == (0.5, (0.5, 0.5), [(0.5, 0.5)])  # drawn once
    together[0] = False
    sides.left.value = 0.2
    assert sides.value == (0.5, 0.2)
    together[0] = True
    sides.value = (0.0, 0.9)  # a preset may be one-sided at any time
    assert (sides.right.value, sides.left.value, seen[-1]) == (0.0, 0.9, (0.0, 0.9))


def test_face_words_and_answer_follow_a_slider(live: Live) -> None:
    before = live.views["face"].png
    live.controls["au12"].right.value = 0.9
    assert live.problem.value == ""
    assert live.controls["au12"].value == (0.9, 0.9)
    assert live.views["face"].png != before
    assert live.views["face"].alt == "rendered person 80, studio; AU12 0.90"
    assert "AU12 0.90" in live.views["units"].value
    assert "ten times over" in live.views["note"].value


def test_the_answer_is_the_networks_to_the_face_that_is_shown(run: Run, live: Live) -> None:
    for change in ({"au12": (1.0, 1.0)}, {"light": "outdoors", "mask": True}):
        live.set(**change)
        sight = look_at(draw_face(live.values, SIZE), MeshTracker(), size=TINY.crop_size)
        (shares,) = held_probabilities(run.load_model(), run.experiment, sight.crops[None])
        assert shown_shares(live) == {name: round(100 * share) for name, share in zip(EMOTIONS, shares, strict=True)}


def shown_shares(live: Live) -> dict[str, int]:
    found = re.findall(r'<th scope="row"[^>]*>(\w+)</th>.*?>(\d+)%</td>', live.views["answer"].value)
    return {name: int(share) for name, share in found}


def buttons(widget: object) -> list:
    if isinstance(widget, ipywidgets.Button):
        return [widget]
    return [found for child in getattr(widget, "children", ()) for found in buttons(child)]


def test_presets_set_all_units_and_neutral_takes_them_back(live: Live) -> None:
    presets = {button.description: button for button in buttons(live.root)}
    assert set(presets) == set(EMOTIONS)
    live.controls["au09"].value = (0.3, 0.7)
    presets["contempt"].click()
    assert units_of(live.values) == EXPRESSIONS["contempt"]
    assert live.controls["au14"].right.value == 0.9 and live.controls["au09"].left.value == 0.0
    presets["neutral"].click()
    assert units_of(live.values) == {}
    assert "no action unit" in live.views["units"].value


def test_a_lost_face_is_a_message_and_comes_back(live: Live) -> None:
    live.set(yaw=60, pitch=-40)
    assert live.problem.value == ""
    assert 'role="status"' in live.views["answer"].value and "No face was found" in live.views["answer"].value
    assert live.views["face"].alt.startswith("rendered person 80, studio, head to the person's left 60°, head up -40°")
    live.set(yaw=0, pitch=0)
    assert set(shown_shares(live)) == set(EMOTIONS)


def test_without_a_network_there_is_the_face_alone() -> None:
    live = facs_explorer(size=SIZE)
    assert set(live.views) == {"face", "units"}
    assert control_name(1) in live.controls


def test_the_still_says_what_it_shows(live: Live) -> None:
    still = live._repr_mimebundle_()["text/html"]
    assert 'alt="rendered person 80, studio; no action unit: neutral"' in still
    assert "The network&#x27;s answer" in still
