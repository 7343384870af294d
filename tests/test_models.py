"""The networks: counts, shapes, values against Keras's own layer and against the equations, saving."""

import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from microx_utils.components import COMPONENTS, PAPER_COMPONENTS
from microx_utils.models import (
    GATES,
    FastConvLSTM2D,
    build_compact,
    build_published,
    hard_sigmoid,
    shapes_only,
)

RNG = np.random.default_rng(0)


def random_inputs(components: tuple[str, ...], *, clips: int = 2, frames: int = 3, size: int = 12) -> dict:
    shape = (clips, frames, size, size, 3)
    return {name: RNG.integers(0, 256, shape, np.uint8) for name in components}


def both_layers(
    *, strides: int, filters: int, shape: tuple[int, ...], scale: float = 0.3, gates: str = "sigmoid"
) -> tuple:
    """Keras's layer and the fast one with its weights (all three random), and an input."""
    x = RNG.normal(size=shape).astype(np.float32)
    options = {"recurrent_activation": GATES[gates], "data_format": "channels_last"}
    stock = keras.layers.ConvLSTM2D(filters, 3, strides=strides, **options)
    fast = FastConvLSTM2D(filters, 3, strides=strides, gates=gates)
    stock(x), fast(x)
    stock.set_weights([RNG.normal(size=w.shape, scale=scale) for w in stock.get_weights()])
    fast.set_weights(stock.get_weights())
    return stock, fast, x


@pytest.mark.parametrize("gates", GATES)
@pytest.mark.parametrize(
    ("strides", "shape"), [(1, (2, 4, 9, 8, 3)), (2, (2, 4, 9, 8, 3)), (3, (1, 3, 11, 10, 2)), (2, (3, 1, 7, 7, 1))]
)
def test_fast_layer_is_keras_layer(strides: int, shape: tuple[int, ...], gates: str) -> None:
    stock, fast, x = both_layers(strides=strides, filters=5, shape=shape, gates=gates)
    expected, found = (ops.convert_to_numpy(layer(x)) for layer in (stock, fast))
    assert found.shape == expected.shape == fast.compute_output_shape(shape)
    assert np.abs(expected).max() > 0.1  # the comparison is not of zeros
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_fast_layer_at_the_published_size() -> None:
    stock, fast, x = both_layers(strides=1, filters=64, shape=(1, 10, 20, 20, 3), scale=0.05)
    assert np.abs(ops.convert_to_numpy(stock(x) - fast(x))).max() < 1e-5


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes the gradients by TensorFlow's tape")
@pytest.mark.parametrize("strides", [1, 2])
def test_gradients_are_keras_gradients(strides: int) -> None:
    import tensorflow as tf

    stock, fast, x = both_layers(strides=strides, filters=3, shape=(2, 4, 7, 7, 2))
    found = []
    for layer in (stock, fast):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer(x)))
        found.append(tape.gradient(loss, layer.trainable_variables))
    for expected, gradient in zip(*found, strict=True):
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-4)


def test_fast_layer_starts_like_keras() -> None:
    stock, fast = keras.layers.ConvLSTM2D(4, 3), FastConvLSTM2D(4)
    for layer in (stock, fast):
        layer.build((None, 3, 8, 8, 3))
    assert [w.shape for w in fast.get_weights()] == [w.shape for w in stock.get_weights()]
    np.testing.assert_array_equal(fast.get_weights()[2], stock.get_weights()[2])
    assert fast.get_weights()[2].sum() == 4  # the forget gate's biases


def test_steps_are_what_keras_remembers_after_each_frame() -> None:
    """Keras shows h of each frame and the last c; the gates must be those that lead from one c and h to the next."""
    stock, fast, x = both_layers(strides=1, filters=3, shape=(2, 4, 7, 8, 2))
    every = keras.layers.ConvLSTM2D(3, 3, return_sequences=True, return_state=True)
    every.build(x.shape)
    every.set_weights(stock.get_weights())
    hidden, _, cell = (ops.convert_to_numpy(state) for state in every(x))
    steps = [{name: ops.convert_to_numpy(value) for name, value in step.items()} for step in fast.steps(x)]
    np.testing.assert_allclose(np.stack([step["h"] for step in steps], axis=1), hidden, atol=1e-5)
    np.testing.assert_allclose(steps[-1]["c"], cell, atol=1e-5)
    for before, step in zip([{"c": 0 * cell}, *steps[:-1]], steps, strict=True):
        np.testing.assert_allclose(step["c"], step["f"] * before["c"] + step["i"] * step["u"], atol=1e-6)
        np.testing.assert_allclose(step["h"], step["o"] * np.tanh(step["c"]), atol=1e-6)
        assert all(step[gate].min() > 0 and step[gate].max() < 1 for gate in "ifo")
    assert np.abs(steps[1]["i"] - steps[1]["f"]).max() > 0.1 and np.abs(steps[1]["o"] - steps[1]["f"]).max() > 0.1


def test_hard_sigmoid_is_that_of_keras_2() -> None:
    z = np.array([-9, -2.5, -1, 0, 1, 2.5, 9])
    np.testing.assert_allclose(ops.convert_to_numpy(hard_sigmoid(z)), [0, 0, 0.3, 0.5, 0.7, 1, 1])
    assert np.abs(ops.convert_to_numpy(keras.activations.hard_sigmoid(z)) - hard_sigmoid(z)).max() > 0.03


@pytest.mark.parametrize("gates", GATES)
def test_fixed_weights_by_hand(gates: str) -> None:
    """One pixel, one filter, a 1 x 1 kernel: the equations on plain numbers."""
    layer = FastConvLSTM2D(1, kernel_size=1, gates=gates)
    layer.build((None, 2, 1, 1, 1))
    w, u, b = np.array([0.5, -0.3, 0.8, 0.2]), np.array([0.4, 0.1, -0.6, 0.7]), np.array([0.0, 1.0, 0.1, -0.2])
    layer.set_weights([w.reshape(1, 1, 1, 4), u.reshape(1, 1, 1, 4), b])

    def gate(z: float) -> float:
        return 1 / (1 + np.exp(-z)) if gates == "sigmoid" else min(max(0.2 * z + 0.5, 0), 1)

    h = c = 0.0
    for x in (1.5, -0.7):
        i, f, new, o = w * x + u * h + b
        c = gate(f) * c + gate(i) * np.tanh(new)
        h = gate(o) * np.tanh(c)
    found = layer(np.array([1.5, -0.7], np.float32).reshape(1, 2, 1, 1, 1))
    assert float(ops.squeeze(found)) == pytest.approx(h, abs=1e-6)


def test_fast_layer_in_bfloat16_stays_close() -> None:
    stock, _, x = both_layers(strides=1, filters=4, shape=(1, 4, 8, 8, 3))
    half = FastConvLSTM2D(4, dtype="mixed_bfloat16")
    half.build(x.shape)
    half.set_weights(stock.get_weights())
    assert half.compute_dtype == "bfloat16"
    difference = ops.cast(half(x), "float32") - stock(x)
    assert 0 < np.abs(ops.convert_to_numpy(difference)).max() < 0.1


@pytest.mark.parametrize(
    ("arguments", "shape", "message"),
    [
        ({}, (None, 4, 2, 8, 3), "2 x 8 pixels, smaller than its kernel of 3 x 3"),
        ({}, (None, 8, 8, 3), "it needs"),
        ({}, (None, None, 8, 8, 3), "it needs"),
        ({"filters": 0}, (None, 4, 8, 8, 3), "filters is 0"),
        ({"gates": "hard"}, (None, 4, 8, 8, 3), "gates is 'hard'"),
        ({"strides": 1.5}, (None, 4, 8, 8, 3), "strides is 1.5"),
    ],
)
def test_fast_layer_refuses(arguments: dict, shape: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FastConvLSTM2D(**({"filters": 2} | arguments)).build(shape)


def test_published_network_has_the_published_count() -> None:
    """The authors' network, without allocating its gigabyte; and the formula of its layers."""
    assert shapes_only(build_published, PAPER_COMPONENTS).count_params() == 276_362_527
    conv_lstm = 4 * 64 * (9 * 3 + 9 * 64 + 1)
    dense = 58 * 58 * 64 * 256 + 256
    assert 5 * (conv_lstm + dense + 256 * 7 + 7) + 35 * 7 + 7 == 276_362_527


def test_counting_allocates_no_weights() -> None:
    code = (
        "import resource; from microx_utils import models as m\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "model = m.shapes_only(m.build_published)\n"
        "m.build_compact()\n"  # a later model must not fill the weights that were left out
        "print(model.count_params(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, grown = map(int, done.stdout.split())
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, kilobytes on Linux
    assert count == 276_362_527
    assert grown * unit < 500e6


def test_small_published_network_counts_its_arrays() -> None:
    model = build_published(("nose", "mouth"), size=10, frames=2, filters=4, dense=8)
    drawn = shapes_only(build_published, ("nose", "mouth"), size=10, frames=2, filters=4, dense=8)
    arrays = sum(weight.size for weight in model.get_weights())
    assert model.count_params() == drawn.count_params() == arrays
    assert arrays == 2 * (4 * 4 * (27 + 36 + 1) + (8 * 8 * 4 * 8 + 8) + 8 * 7 + 7) + 14 * 7 + 7


def test_errors_of_a_network_without_weights_are_raised() -> None:
    with pytest.raises(ValueError, match="unknown components"):
        shapes_only(build_published, ("chin",))


@pytest.mark.parametrize("build", [build_published, build_compact])
@pytest.mark.parametrize("components", [("mouth",), PAPER_COMPONENTS, COMPONENTS])
def test_network_gives_probabilities(build, components: tuple[str, ...]) -> None:
    model = build(components, size=12, frames=3, filters=2, dense=4)
    found = ops.convert_to_numpy(model(random_inputs(components)))
    assert found.shape == (2, 7)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    assert set(model.input) == set(components)


def test_a_joined_block_takes_the_channels_of_all_its_parts() -> None:
    model = build_compact(("nose", "left_eye+right_eye"), size=12, frames=3, filters=2, dense=4)
    shapes = {name: tuple(given.shape[1:]) for name, given in model.input.items()}
    assert shapes == {"nose": (3, 12, 12, 3), "left_eye_and_right_eye": (3, 12, 12, 6)}
    with pytest.raises(ValueError, match="each once"):
        build_compact(("left_eye", "left_eye+right_eye"))


@pytest.mark.parametrize(("size", "expected"), [(13, 2), (15, 3)])
def test_pool_averages_squares_of_the_state(size: int, expected: int) -> None:
    options: dict[str, Any] = {"size": size, "frames": 3, "filters": 2, "dense": 4}
    plain, pooled = build_compact(("nose",), **options), build_compact(("nose",), pool=3, **options)
    pooled.layers[2].set_weights(plain.layers[2].get_weights())
    x = {"nose": RNG.integers(0, 256, (2, 3, size, size, 3)).astype(np.float32)}
    state, found = (
        ops.convert_to_numpy(keras.Model(model.input, model.get_layer(name).output)(x))
        for model, name in ((plain, "nose_conv_lstm2d"), (pooled, "nose_pool"))
    )
    assert found.shape == (2, expected, expected, 2)
    if size == 13:  # 6 x 6 positions: four whole squares
        np.testing.assert_allclose(found, state.reshape(2, 2, 3, 2, 3, 2).mean((2, 4)), atol=1e-6)
    else:  # 7 x 7: what hangs over the edge is left out of the average, not counted as zero
        np.testing.assert_allclose(found[:, 1, 1], state[:, 2:5, 2:5].mean((1, 2)), atol=1e-6)
        np.testing.assert_allclose(found[:, 0, 0], state[:, :2, :2].mean((1, 2)), atol=1e-6)
    assert pooled.count_params() < plain.count_params()


def test_pixels_are_scaled_inside_the_network() -> None:
    scaled = build_compact(("nose",), size=12, frames=3, filters=2, dense=4)
    raw = build_compact(("nose",), size=12, frames=3, filters=2, dense=4, pixels="raw")
    raw.set_weights(scaled.get_weights())
    x = random_inputs(("nose",))
    same = raw({"nose": x["nose"] / 127.5 - 1})
    np.testing.assert_allclose(ops.convert_to_numpy(scaled(x)), ops.convert_to_numpy(same), atol=1e-5)
    assert raw.layers[1].name == "nose_conv_lstm2d"


@pytest.mark.parametrize(
    ("components", "arguments", "message"),
    [
        ((), {}, "give one or more of"),
        (("chin",), {}, "unknown components"),
        (("nose", "nose"), {}, "each once"),
        (("nose",), {"pixels": "grey"}, "pixels is 'grey'"),
        (("nose",), {"gates": "soft"}, "gates is 'soft'"),
        (("nose",), {"size": 2}, "smaller than its kernel"),
    ],
)
def test_network_refuses(components: tuple[str, ...], arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_compact(components, **arguments)


@pytest.mark.parametrize(("build", "usual"), [(build_published, "hard_sigmoid"), (build_compact, "sigmoid")])
def test_gates_of_a_network(build, usual: str) -> None:
    """The published block has the gates of the authors' Keras, the compact one today's; both have both."""
    keras.utils.set_random_seed(6)  # some starting weights leave all four ReLUs at zero, whatever the gates are
    nets = {name: build(("nose",), size=12, frames=3, filters=2, dense=4, gates=name) for name in GATES}
    nets["default"] = build(("nose",), size=12, frames=3, filters=2, dense=4)
    for net in nets.values():
        net.set_weights(nets["default"].get_weights())
    found = {name: ops.convert_to_numpy(net({"nose": np.full((1, 3, 12, 12, 3), 0.5)})) for name, net in nets.items()}
    np.testing.assert_array_equal(found["default"], found[usual])
    assert np.abs(found["sigmoid"] - found["hard_sigmoid"]).max() > 1e-6


@pytest.mark.parametrize("gates", GATES)
@pytest.mark.parametrize("build", [build_published, build_compact])
def test_saved_network_gives_the_same(build, gates: str, tmp_path) -> None:
    model = build(("nose", "mouth"), size=12, frames=3, filters=2, dense=4, gates=gates)
    x = random_inputs(("nose", "mouth"))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(ops.convert_to_numpy(loaded(x)), ops.convert_to_numpy(model(x)))
