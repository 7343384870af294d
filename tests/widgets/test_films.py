"""Clips in memory, menus of clips, and what is drawn on a frame."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microx_utils.components import COMPONENTS
from microx_utils.plots.overlays import rgb
from microx_utils.plots.style import COMPONENT_COLOURS
from microx_utils.video import read_frames, write_video
from microx_utils.widgets import films
from microx_utils.widgets.films import ClipMenus, crop_strip, load_film

CLIPS = pd.DataFrame(
    [
        ("A/1", "A", "A/S1", "happy"),
        ("A/2", "A", "A/S1", "neutral"),
        ("A/3", "A", "A/S2", "happy"),
        ("A/4", "A", "A/S2", "happy"),
        ("B/1", "B", "B/S1", "sad"),
    ],
    columns=["clip_id", "corpus", "subject", "emotion"],
)


def values(menus: ClipMenus) -> dict[str, str]:
    return {name: menu.value for name, menu in menus.controls.items()}


def shown(menus: ClipMenus) -> list[str]:
    return [name for name, menu in menus.controls.items() if menu.layout.display != "none"]


def test_menus_offer_only_clips_that_exist() -> None:
    menus = ClipMenus(CLIPS)
    assert values(menus) == {"corpus": "A", "subject": "A/S1", "emotion": "happy", "clip_id": "A/1"}
    assert menus.controls["emotion"].options == ("neutral", "happy"), "in the course's order"
    menus.controls["subject"].value = "A/S2"
    menus.agree()
    assert values(menus) == {"corpus": "A", "subject": "A/S2", "emotion": "happy", "clip_id": "A/3"}
    assert menus.controls["clip_id"].options == ("A/3", "A/4")
    assert shown(menus) == ["corpus", "subject", "clip_id"], "one label only: nothing to choose"
    menus.controls["corpus"].value = "B"
    menus.agree()
    assert menus.chosen(values(menus))["clip_id"] == "B/1"
    assert shown(menus) == ["corpus"]


def test_every_clip_can_be_chosen_by_its_name() -> None:
    menus = ClipMenus(CLIPS, start="A/4")
    for clip_id in ["A/4", *CLIPS["clip_id"], "A/2"]:
        menus.choose(clip_id)
        assert menus.chosen(values(menus))["clip_id"] == clip_id


def test_columns_must_tell_clips_apart() -> None:
    with pytest.raises(ValueError, match="5 clips apart"):
        ClipMenus(CLIPS, levels=("corpus", "subject", "emotion"))


def test_a_small_film_is_kept_as_it_is_and_a_large_one_shrunk(clip_path: Path, tmp_path: Path) -> None:
    film = load_film(str(clip_path))
    assert film.scale == 1 and np.array_equal(film.frames, read_frames(clip_path)[0])
    assert load_film(str(clip_path)) is film, "read once"
    large = np.zeros((3, 960, 640, 3), np.uint8)
    large[:, 700:, 300:] = 255
    write_video(tmp_path / "large.mp4", large)
    small = load_film(str(tmp_path / "large.mp4"))
    assert small.frames.shape == (3, 480, 320, 3) and small.scale == 0.5
    x, y = small.place(np.array([300.0, 700.0]))  # the white part's corner
    assert (x, y) == (149.75, 349.75)
    assert small.frames[0, 352:, 152:].min() > 200 and small.frames[0, :348].max() < 50


def test_crops_stand_in_order_framed_in_their_colours_and_crossed_out_if_hidden() -> None:
    crops = np.zeros((7, 20, 20, 3), np.uint8) + (30 * np.arange(7, dtype=np.uint8))[:, None, None, None]
    available = np.ones(7, bool)
    strip = crop_strip(crops, available, width=600)
    side = 80
    for k, name in enumerate(COMPONENTS):
        left = k * (side + 6)
        assert strip[40, left + 40].tolist() == [30 * k] * 3
        assert strip[40, left + 1].tolist() == list(rgb(COMPONENT_COLOURS[name]))
    available[3] = False
    crossed = crop_strip(crops, available, width=600)
    changed = np.flatnonzero((strip != crossed).any(axis=(0, 2)))
    assert changed.min() >= 3 * 86 - 6 and changed.max() < 4 * 86, "no other crop is touched"


def test_pictures_are_stacked_on_white() -> None:
    whole = films.stack(np.zeros((5, 10, 3), np.uint8), np.zeros((4, 6, 3), np.uint8), gap=2)
    assert whole.shape == (11, 10, 3)
    assert (whole[5:7] == 255).all() and (whole[7:, 6:] == 255).all() and (whole[7:, :6] == 0).all()


def test_facts_are_text() -> None:
    assert "&lt;b&gt;" in films.facts_table({"clip": "<b>"})
