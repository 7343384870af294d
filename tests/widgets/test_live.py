"""The shell of all widgets: what it shows, when it redraws, what becomes of errors."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from microx_utils.course.safe_html import WIDGET_TYPE
from microx_utils.widgets.live import Live, button, choice, player, slider
from microx_utils.widgets.shown import Html, Linked, Picture, Seen, bars, encode, lines, to_html


def grey(value: int) -> Seen:
    return Seen(np.full((4, 6, 3), value, np.uint8), f"all pixels {value}")


def shade(value: int, name: str = "a") -> dict:
    if value == 13:
        raise ValueError("13 is <unlucky>")
    return {"picture": grey(value), "words": f"{name} & {value}", "table": pd.DataFrame({"<b>": [value]})}


@pytest.fixture
def live() -> Live:
    return Live(shade, {"value": slider("shade", 0, 255), "name": choice("name", ["a", "b"])}, title="Shades")


def test_a_changed_control_changes_picture_alt_text_and_words(live: Live) -> None:
    before = live.views["picture"].png
    live.controls["value"].value = 200
    assert live.views["picture"].png != before
    assert live.views["picture"].alt == "all pixels 200"
    assert live.views["words"].value == "<p>a &amp; 200</p>"


def test_a_picture_reaches_the_page_with_something_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    opened, opens = [], Picture.open

    def record(picture: Picture) -> None:
        opened.append((picture.png[1:4], picture.alt, picture.width))
        opens(picture)

    monkeypatch.setattr(Picture, "open", record)
    Live(shade, {"value": slider("shade", 0, 255), "name": choice("name", ["a", "b"])}, title="Shades")
    assert opened == [(b"PNG", "all pixels 0", 6)]


def test_several_controls_set_at_once_draw_once() -> None:
    calls = []

    def count(**values: object) -> dict:
        calls.append(values)
        return {"words": "x"}

    live = Live(count, {"one": slider("one", 0, 9), "two": slider("two", 0, 9)}, title="Count")
    live.set(one=3, two=4)
    assert calls == [{"one": 0, "two": 0}, {"one": 3, "two": 4}]


def test_a_later_error_is_shown_in_place_and_gone_with_the_next_change(live: Live) -> None:
    live.controls["value"].value = 13
    assert "ValueError: 13 is &lt;unlucky&gt;" in live.problem.value
    assert 'role="alert"' in live.problem.value
    live.controls["value"].value = 14
    assert live.problem.value == ""


def test_an_error_in_the_first_drawing_is_raised() -> None:
    with pytest.raises(ValueError, match="unlucky"):
        Live(shade, {"value": slider("shade", 0, 255, value=13)}, title="Shades")


def test_a_still_stands_beside_the_widget_for_whatever_has_no_front_end(live: Live) -> None:
    bundle = live._repr_mimebundle_()
    assert bundle[WIDGET_TYPE]["model_id"] == live.root.model_id
    assert 'alt="all pixels 0"' in bundle["text/html"]
    assert "<p>a &amp; 0</p>" in bundle["text/html"]
    assert "&lt;b&gt;" in bundle["text/html"]
    assert bundle["text/plain"] == "Shades"


def test_a_picture_is_rgb() -> None:
    import cv2

    red = np.zeros((2, 3, 3), np.uint8)
    red[..., 0] = 255
    png, width = encode(Seen(red, "red"))
    assert width == 3
    decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None and (decoded[0, 0] == [0, 0, 255]).all()  # BGR
    with pytest.raises(ValueError, match="uint8"):
        encode(Seen(np.zeros((2, 3)), "grey"))  # type: ignore[arg-type]


def test_a_figure_is_closed_once_it_is_encoded() -> None:
    fig = plt.figure(figsize=(2, 1))
    png, width = encode(Seen(fig, "empty"))
    assert png.startswith(b"\x89PNG") and width == 192
    assert not plt.fignum_exists(fig.number)


def test_only_html_of_our_own_is_not_escaped() -> None:
    assert to_html("<i>") == "<p>&lt;i&gt;</p>"
    assert to_html(Html("<i>")) == "<i>"


def test_bars_say_their_numbers() -> None:
    shown = bars(pd.Series({"happy": 0.75, "s<d": 0.25}), {"happy": "#e8b000"}, label="Shares")
    assert "75%" in shown and "#e8b000" in shown and "s&lt;d" in shown and "Shares" in shown


def test_a_slider_of_whole_numbers_gives_whole_numbers() -> None:
    assert isinstance(slider("n", 0, 5), ipywidgets.IntSlider)
    assert isinstance(slider("x", 0, 1, step=0.1), ipywidgets.FloatSlider)


def test_controls_agree_before_anything_is_drawn() -> None:
    drawn = []
    first, second = choice("fruit", ["apple", "pear"]), choice("kind", ["Gala", "Elstar"])
    kinds = {"apple": ("Gala", "Elstar"), "pear": ("Conference",)}

    def agree() -> None:
        if second.options != kinds[first.value]:
            second.options = kinds[first.value]

    def draw(fruit: str, kind: str) -> dict:
        drawn.append((fruit, kind))
        return {"words": kind}

    live = Live(draw, {"fruit": first, "kind": second}, title="Fruit", adjust=agree)
    first.value = "pear"
    assert drawn == [("apple", "Gala"), ("pear", "Conference")]
    assert live.views["words"].value == "<p>Conference</p>"


def test_a_button_acts_when_pressed() -> None:
    pressed = []
    button("Go", lambda: pressed.append(1)).click()
    assert pressed == [1]


def test_a_player_ends_where_its_slider_ends() -> None:
    frames = slider("frame", 0, 59)
    play = player(frames).children[0]
    frames.max = 42
    assert play.max == 42


def test_lines_mark_a_place_and_say_its_numbers() -> None:
    table = pd.DataFrame({"mesh": [0.5, np.nan, 1.5, 2.0], "t<h": [0.0, 0.1, 0.2, 0.3]}, index=[0, 1, 2, 3])
    drawn = lines(table, {"mesh": "#0077bb", "t<h": "#222222"}, label="Movement, px", at=2)
    assert "mesh 1.5" in drawn and "t&lt;h 0.2" in drawn and 'aria-label="Movement, px"' in drawn
    assert "M40.0 85.0M306.7 35.0L440.0 10.0" in drawn, "a missing value leaves a gap"
    assert "mesh nothing" in lines(table, {"mesh": "#0077bb", "t<h": "#222222"}, label="Movement", at=1)
    assert "<svg" in lines(table * np.nan, {"mesh": "#0077bb", "t<h": "#222222"}, label="Nothing at all")


def test_lines_below_zero() -> None:
    drawn = lines(pd.DataFrame({"c": [-0.5, 0.0, 0.5]}), {"c": "#0077bb"}, label="Memory", bottom=-0.5, top=0.5, at=0)
    assert "M40.0 110.0L240.0 60.0L440.0 10.0" in drawn and "c -0.5" in drawn and ">-0.5</text>" in drawn


def test_html_with_links_is_shown_as_a_cells_output() -> None:
    """JupyterLab follows the links of an output, and not those of an HTML widget."""
    live = Live(lambda n: {"links": Linked(f'<a href="0{n}.ipynb">{n}</a>')}, {"n": slider("n", 1, 9)}, title="Links")
    live.controls["n"].value = 7
    (output,) = live.views["links"].outputs
    assert output["data"] == {"text/html": '<a href="07.ipynb">7</a>'}
    assert '<a href="01.ipynb">1</a>' in live._repr_mimebundle_()["text/html"]
