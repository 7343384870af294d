"""The ConvLSTM layer for a GPU, in JAX, and the networks that use it."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import keras
from keras import layers, ops

from microx_utils.models import FastConvLSTM2D

PRECISIONS = ("float32", "bfloat16")
ALIGNED = 32
"""Matrix units take rows and columns in multiples of this."""
FEW = 16
"""Up to this batch size a dense layer's gradient is summed while the weights are updated, instead of being stored."""


def _parts(count: int, size: int, most: int) -> int:
    """Return into how many equal parts of whole `size`s a sum of `count` terms can be cut: at most `most`, at least 1.

    A product with a long sum and a small result keeps few of a GPU's processors busy, unless the sum is cut.
    """
    return max((n for n in range(1, most + 1) if count % (n * size) == 0), default=1)


@jax.custom_vjp
def _of_pixels(near: jax.Array, weights: jax.Array) -> jax.Array:
    """Return near @ weights; the pixels in `near` (..., columns) get no gradient."""
    return near @ weights


def _of_pixels_backwards(near: jax.Array, change: jax.Array) -> tuple[None, jax.Array]:
    rows, columns = math.prod(near.shape[:-1]), near.shape[-1]
    n = _parts(rows, ALIGNED, 64)
    parts = near.reshape(n, -1, columns), change.reshape(n, -1, change.shape[-1])
    gradient = jnp.einsum("nrc,nrf->ncf", *parts, preferred_element_type=jnp.float32).sum(0)
    return None, gradient.astype(change.dtype)


_of_pixels.defvjp(lambda near, weights: (near @ weights, near), _of_pixels_backwards)


@jax.custom_vjp
def _dense(x: jax.Array, weights: jax.Array) -> jax.Array:
    """Return x @ weights, float32, for x (B, K) of any precision and float32 weights (K, D)."""
    n = _parts(x.shape[1], 2 * ALIGNED, 128)
    x, weights = x.reshape(len(x), n, -1), weights.reshape(n, -1, weights.shape[1]).astype(x.dtype)
    return jnp.einsum("bnk,nkd->nbd", x, weights, preferred_element_type=jnp.float32).sum(0)


def _dense_backwards(kept: tuple[jax.Array, jax.Array], change: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, weights = kept
    # Rounded again instead of being kept: read once as float32 is less than written and read as bfloat16.
    weights = jax.lax.optimization_barrier(weights).astype(x.dtype)
    if len(x) > FEW:
        return change.astype(x.dtype) @ weights.T, jnp.matmul(x.T, change.astype(x.dtype)).astype(jnp.float32)
    gradient = jnp.zeros(weights.shape, jnp.float32)
    for segment, error in zip(x, change, strict=True):
        gradient += segment[:, None].astype(jnp.float32) * error
    return change.astype(x.dtype) @ weights.T, gradient


_dense.defvjp(lambda x, weights: (_dense(x, weights), (x, weights)), _dense_backwards)


@keras.saving.register_keras_serializable("microx")
class DeviceConvLSTM2D(FastConvLSTM2D):
    """`FastConvLSTM2D` as a GPU computes it fastest; the same weights and outputs. For KERAS_BACKEND=jax only.

    - The input convolution is a matrix product of each pixel's neighbourhood, which also adds the bias: convolutions of
      three channels leave the matrix units idle.
    - Backwards, the gates are computed again instead of being kept: reading them would take longer.
    - With `precision` "bfloat16" the products and the hidden state are of that type; the weights, the sums of their
      gradients and the cell state stay float32. The input's weights are then the sum of two bfloat16 numbers: raw
      pixels reach 255, and a weight rounded once would move a gate by up to a half.
    """

    def __init__(self, *sizes: Any, precision: str = "float32", **options: Any) -> None:
        super().__init__(*sizes, **options)
        if precision not in PRECISIONS:
            raise ValueError(f"precision is {precision!r}; choose from {PRECISIONS}")
        self.precision = precision

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "precision": self.precision}

    def call(self, x: Any, mask: None = None) -> Any:  # Keras gives its own ConvLSTM2D a mask, and so what replaces it
        _, rows, columns, F = self.compute_output_shape(x.shape)
        x = jnp.swapaxes(x, 0, 1).astype(self.precision)  # (T, B, H, W, C)
        k, s = self.kernel_size, self.strides
        ends = (rows - 1) * s + 1, (columns - 1) * s + 1
        parts = [x[:, :, i : i + ends[0] : s, j : j + ends[1] : s] for i in range(k) for j in range(k)]
        parts.append(jnp.ones_like(parts[0][..., :1]))  # k * k * C + 1 columns
        parts *= 1 if self.precision == "float32" else 2
        fill = -sum(part.shape[-1] for part in parts) % ALIGNED
        near = jnp.concatenate(
            [*parts, jnp.zeros((*parts[0].shape[:-1], fill), x.dtype)], axis=-1
        )  # (T, B, H', W', ..)

        def input_weights() -> Any:
            """Return W and b for `near`, (columns, 4F), rounded; below them, in bfloat16, what the rounding cut off."""
            exact = jnp.concatenate([jnp.reshape(self.kernel.value, (-1, 4 * F)), self.bias.value[None]])
            rounded = exact.astype(x.dtype)
            below = [] if self.precision == "float32" else [(exact - rounded.astype(exact.dtype)).astype(x.dtype)]
            return jnp.pad(jnp.concatenate([rounded, *below]), ((0, fill), (0, 0)))

        gate = self.gate

        @jax.checkpoint
        def cell(z: Any, c: Any) -> tuple[Any, Any]:
            """Take the gates' inputs (B, H', W', 4F) and the cell state (B, H', W', F) to the next cell state and h."""
            i, f, u, o = jnp.split(z.astype(jnp.float32), 4, axis=-1)
            c = gate(f) * c + gate(i) * jnp.tanh(u)
            return c, (gate(o) * jnp.tanh(c)).astype(x.dtype)

        h, c = None, jnp.zeros((x.shape[1], rows, columns, F), jnp.float32)
        for t in range(x.shape[0]):
            W = input_weights()  # rounded anew at each step, so that the steps' gradients meet in float32
            if h is None:
                z = _of_pixels(near[t], W)
            else:
                U = self.recurrent_kernel.value.astype(x.dtype)
                # After h: else XLA joins the frames' products into one, and has to copy its parts for each step.
                frame, h = jax.lax.optimization_barrier((near[t], h))
                z = ops.conv(h, U, strides=1, padding="same", data_format="channels_last") + _of_pixels(frame, W)
            c, h = cell(jax.lax.optimization_barrier(z), c)  # the sum is written once, not added in every use
        return h


@keras.saving.register_keras_serializable("microx")
class DeviceDense(layers.Dense):
    """`keras.layers.Dense` for many inputs and a small batch, bound by reading its weights; float32 out."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.activation(_dense(inputs, self.kernel.value) + self.bias.value)


def on_device(model: keras.Model, precision: str) -> keras.Model:
    """Return a network of `models` with the layers above in place of its ConvLSTM and hidden dense layers, for JAX.

    It starts with the weights of `model`. With "bfloat16" the blocks compute in bfloat16, up to and with the product of
    their hidden dense layer; the weights, the inputs and the softmaxes stay float32.
    """

    def clone(layer: layers.Layer) -> layers.Layer:
        config = layer.get_config()
        if isinstance(layer, (layers.ConvLSTM2D, FastConvLSTM2D)):
            gates = layer.gates if isinstance(layer, FastConvLSTM2D) else layer.recurrent_activation.__name__
            kernel, strides = (
                size if isinstance(size, int) else size[0] for size in (layer.kernel_size, layer.strides)
            )
            return DeviceConvLSTM2D(layer.filters, kernel, strides, gates, precision=precision, name=layer.name)
        if isinstance(layer, layers.Dense) and layer.activation is keras.activations.relu:
            return DeviceDense.from_config(config)
        return type(layer).from_config(config)

    copy = keras.models.clone_model(model, clone_function=clone)
    for ours, theirs in zip(copy.weights, model.weights, strict=True):
        ours.assign(theirs.value)
    return copy
