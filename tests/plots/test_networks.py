"""Drawings tell the model's own numbers, fit the page and keep their text apart."""

import numpy as np
import pytest
from figure_checks import check_text, drawn, styled, texts

from microx_utils import components, landmarks, models, video
from microx_utils.components import COMPONENTS, PAPER_COMPONENTS
from microx_utils.labels import EMOTIONS
from microx_utils.plots import networks


@pytest.fixture(autouse=True)
def _styled():
    with styled():
        yield


@pytest.fixture(scope="module")
def clip(clip_path, openface_data):
    frames, _ = video.read_frames(clip_path)
    points = landmarks.landmark_array(landmarks.read_openface_csv(openface_data / "happy.csv"))
    chosen = range(20, 30)
    crops = np.stack([components.crop_components(frames[i], points[i], size=32) for i in chosen])
    return frames[20:30], points[20:30], crops


@pytest.fixture(scope="module")
def published_rows():
    return networks.block_rows(models.shapes_only(models.build_published), "left_eye")


def paper_crops(crops: np.ndarray) -> np.ndarray:
    return crops[:, [COMPONENTS.index(name) for name in PAPER_COMPONENTS]]


def test_component_rows(clip):
    figure = drawn(networks.draw_component_rows(paper_crops(clip[2]), caption="rendered sample"))
    check_text(figure)
    assert len(figure.axes[0].images) == 50
    assert texts(figure).count("ConvLSTM\nblock") == 5


def test_images_in_a_drawing_are_the_crops_in_order(clip):
    crops = paper_crops(clip[2])
    images = networks.draw_component_rows(crops).axes[0].images
    np.testing.assert_array_equal(images[0].get_array(), crops[0, 0])
    np.testing.assert_array_equal(images[13].get_array(), crops[3, 1])


def test_block_shows_the_published_shapes_and_parameters(published_rows):
    figure = drawn(networks.draw_block(published_rows))
    check_text(figure)
    shown = texts(figure)
    assert {"input", "conv_lstm2d", "dropout", "flatten", "dense", "dropout_1", "dense_1"} <= set(shown)
    assert "(10, 60, 60, 3)  →  (58, 58, 64)" in shown
    assert "(215,296)  →  (256)" in shown
    assert {"154,624", "55,116,032", "1,799"} <= set(shown)


def test_block_rows_are_figure_5() -> None:
    rows = networks.block_rows(models.shapes_only(models.build_published), "full_face")
    assert [(row.name, row.output_shape) for row in rows] == [
        ("input", (10, 60, 60, 3)),
        ("conv_lstm2d", (58, 58, 64)),
        ("dropout", (58, 58, 64)),
        ("flatten", (215296,)),
        ("dense", (256,)),
        ("dropout_1", (256,)),
        ("dense_1", (7,)),
    ]
    assert [row.kind for row in rows[:2]] == ["InputLayer", "ConvLSTM2D"]
    assert [row.parameters for row in rows] == [0, 154_624, 0, 0, 55_116_032, 0, 1_799]
    assert rows[1].input_shape == (10, 60, 60, 3)


def test_block_rows_of_the_fusion_and_of_nothing() -> None:
    model = models.build_compact(("left_eye", "right_eye", "mouth"), size=8, frames=2, filters=2, dense=4)
    rows = networks.block_rows(model, models.FUSION)
    assert [(row.name, row.output_shape) for row in rows] == [("concatenate", (21,)), ("dense", (7,))]
    with pytest.raises(ValueError, match="no 'eye'"):
        networks.block_rows(model, "eye")


def test_block_draws_any_block():
    rows = networks.block_rows(models.build_compact(["mouth"], size=8, filters=2, dense=4), "mouth")
    figure = drawn(networks.draw_block(rows))
    check_text(figure)
    assert "FastConvLSTM2D" in texts(figure)


@pytest.mark.parametrize("names", [PAPER_COMPONENTS, COMPONENTS, ("left_eye", "mouth")])
def test_network_has_a_block_for_each_component(names, clip, published_rows):
    crops = clip[2][:, [COMPONENTS.index(name) for name in names]]
    weights = sum(row.parameters for row in published_rows)
    figure = drawn(networks.draw_network(names, frames=clip[0], crops=crops, block_parameters=weights, caption="c"))
    check_text(figure)
    shown = texts(figure)
    assert shown.count("ConvLSTM block\n55,272,455 weights") == len(names)
    assert {*EMOTIONS, *(name.replace("_", " ") for name in names)} <= set(shown)


def test_network_without_images():
    check_text(drawn(networks.draw_network()))


def test_cell_names_the_four_gates():
    figure = drawn(networks.draw_convlstm_cell())
    check_text(figure)
    assert {"forget", "input", "candidate", "output", "$f_t$", "$i_t$", "$u_t$", "$o_t$"} <= set(texts(figure))


def test_pipeline(clip):
    frames, points, crops = clip
    figure = drawn(networks.draw_pipeline(frames, points[0], crops))
    check_text(figure)
    assert set(EMOTIONS) <= set(texts(figure))


def test_crops_must_fit_the_names(clip):
    with pytest.raises(ValueError, match="7 components in the crops, 5 names"):
        networks.draw_component_rows(clip[2])
    with pytest.raises(ValueError, match="no layers"):
        networks.draw_block([])
    with pytest.raises(ValueError, match="wanted two or more"):
        networks.draw_network(["mouth"])
