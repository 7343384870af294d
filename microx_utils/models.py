"""The MicroX networks (paper, section IV): one ConvLSTM block per component, fused by one dense layer.

Shapes in the comments: B segments in a batch, T frames, H x W pixels, C channels, F filters, K components.
Everything is built from Keras 3 layers and `keras.ops`, so it runs on TensorFlow, JAX and PyTorch (KERAS_BACKEND).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import keras
from keras import layers, ops

from microx_utils.components import PAPER_COMPONENTS, block_name, block_parts, check_blocks
from microx_utils.labels import EMOTIONS
from microx_utils.support.keras_setup import pinned_keras

FUSION = "fusion"
"""Prefix of the names of the layers after the blocks. A block's layers have the component's name as prefix."""


@keras.saving.register_keras_serializable("microx")
def hard_sigmoid(z: Any) -> Any:
    """Return clip(0.2 z + 0.5, 0, 1), the default of Keras 2's gates. Keras 3's own hard_sigmoid has a slope of 1/6."""
    return ops.clip(0.2 * z + 0.5, 0, 1)


GATES: dict[str, Callable[[Any], Any]] = {"sigmoid": ops.sigmoid, "hard_sigmoid": hard_sigmoid}
"""Functions that a ConvLSTM's gates i, f and o can use; the authors' Keras used `hard_sigmoid`, today's `sigmoid`."""


def _gate_function(name: str) -> Callable[[Any], Any]:
    if name not in GATES:
        raise ValueError(f"gates is {name!r}; choose from {tuple(GATES)}")
    return GATES[name]


@keras.saving.register_keras_serializable("microx")
class FastConvLSTM2D(layers.Layer):
    """A convolutional LSTM that returns its last hidden state: Keras's ConvLSTM2D, computed faster.

    For each frame x_t, with * a convolution, (.) an elementwise product, and four gates
    (input i, forget f, candidate u, output o; the order of Keras's weights), and sigmoid the function of `gates`:

        i_t = sigmoid(Wi * x_t + Ui * h_(t-1) + bi)
        f_t = sigmoid(Wf * x_t + Uf * h_(t-1) + bf)
        u_t =    tanh(Wu * x_t + Uu * h_(t-1) + bu)
        o_t = sigmoid(Wo * x_t + Uo * h_(t-1) + bo)
        c_t = f_t (.) c_(t-1) + i_t (.) u_t
        h_t = o_t (.) tanh(c_t)                          h_0 = c_0 = 0

    Whatever does not depend on the previous frame is computed at once: W * x is one convolution over all frames and
    gates, and the first frame has no recurrent convolution. The weights are those of `keras.layers.ConvLSTM2D(filters,
    kernel_size, strides=strides)`, in the same order, so `set_weights` takes `get_weights` of the other layer.

    Input shape
        (B, T, H, W, C), float; H and W at least `kernel_size`.
    Output shape
        (B, H', W', filters) with H' = (H - kernel_size) // strides + 1. The input convolution has "valid" padding and
        the given strides; the recurrent one keeps the size ("same" padding, stride 1).

    Parameters
    ----------
    filters
        Channels of the hidden state.
    kernel_size, strides
        Side of the square kernels, and stride of the input convolution, in pixels.
    gates
        One of GATES.

    Raises
    ------
    ValueError
        A size is not a positive integer, `gates` is unknown, the input is not (B, T, H, W, C) with T, H, W and C known,
        or the frames are smaller than the kernel.

    Source: Shi et al., Convolutional LSTM Network, NeurIPS 2015, without its peephole terms, as in Keras.
    """

    def __init__(
        self, filters: int, kernel_size: int = 3, strides: int = 1, gates: str = "sigmoid", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.gates, self.gate = gates, _gate_function(gates)
        for name, value in (("filters", filters), ("kernel_size", kernel_size), ("strides", strides)):
            if int(value) != value or value < 1:
                raise ValueError(f"{name} is {value!r}; FastConvLSTM2D needs a positive integer")
        self.filters, self.kernel_size, self.strides = int(filters), int(kernel_size), int(strides)

    def _check(self, shape: Sequence[int | None]) -> None:
        if len(shape) != 5 or None in shape[1:]:
            raise ValueError(
                f"FastConvLSTM2D got shape {tuple(shape)}; it needs (batch, frames, height, width, channels)"
            )
        height, width = shape[2:4]
        if height is None or width is None or min(height, width) < self.kernel_size:
            raise ValueError(
                f"FastConvLSTM2D got frames of {height} x {width} pixels, smaller than its kernel of "
                f"{self.kernel_size} x {self.kernel_size}; crop larger components or use a smaller kernel_size"
            )

    def build(self, input_shape: Sequence[int | None]) -> None:
        self._check(input_shape)
        F, k = self.filters, self.kernel_size
        self.kernel = self.add_weight((k, k, input_shape[-1], 4 * F), "glorot_uniform", name="kernel")  # W
        self.recurrent_kernel = self.add_weight((k, k, F, 4 * F), "orthogonal", name="recurrent_kernel")  # U
        self.bias = self.add_weight((4 * F,), _unit_forget_bias, name="bias")
        self.built = True

    def call(self, x: Any) -> Any:
        *_, last = self.steps(x)
        return last["h"]

    def steps(self, x: Any) -> Iterator[dict[str, Any]]:
        """Yield what each frame leaves: the gates i, f, u, o and the states c, h, each (B, H', W', F)."""
        T, H, W, C = x.shape[1:]
        _, rows, columns, F = self.compute_output_shape(x.shape)
        x = ops.reshape(ops.transpose(x, (1, 0, 2, 3, 4)), (-1, H, W, C))  # (T*B, H, W, C), time first
        z = ops.conv(x, self.kernel, strides=self.strides, padding="valid", data_format="channels_last") + self.bias
        z = ops.reshape(z, (T, -1, rows, columns, 4 * F))  # what the input adds to every gate of every frame
        h = c = None
        # `unstack`, not z[t]: the gradient of z[t] would allocate a tensor as large as z at each step.
        for z_t in ops.unstack(z, T, axis=0):  # (B, H', W', 4F)
            if h is not None:
                z_t = z_t + ops.conv(h, self.recurrent_kernel, strides=1, padding="same", data_format="channels_last")
            i, f, u, o = ops.split(z_t, 4, axis=-1)
            i, f, u, o = self.gate(i), self.gate(f), ops.tanh(u), self.gate(o)
            c = i * u if c is None else f * c + i * u
            h = o * ops.tanh(c)
            yield {"i": i, "f": f, "u": u, "o": o, "c": c, "h": h}

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, int, int, int]:
        self._check(input_shape)
        rows, columns = ((n - self.kernel_size) // self.strides + 1 for n in input_shape[2:4] if n is not None)
        return input_shape[0], rows, columns, self.filters

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("filters", "kernel_size", "strides", "gates")}
        return super().get_config() | own


def _unit_forget_bias(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Ones for the forget gate, so that a new cell remembers, and zeros elsewhere: Keras's `unit_forget_bias`."""
    F = shape[0] // 4
    return ops.concatenate([ops.zeros((F,), dtype), ops.ones((F,), dtype), ops.zeros((2 * F,), dtype)])


def build_published(
    components: Sequence[str] = PAPER_COMPONENTS,
    *,
    size: int = 60,
    frames: int = 10,
    channels: int = 3,
    filters: int = 64,
    dense: int = 256,
    pixels: str = "raw",
    gates: str = "hard_sigmoid",
) -> keras.Model:
    """Return the authors' network (sections IV.C and IV.D, Figures 5 and 6), not compiled.

    At the defaults it has 276,362,527 parameters, 99 % of them between `flatten` and `dense`: about 1.1 GB of weights,
    and as much again for each slot of the optimizer. `shapes_only` builds it without allocating them.

    Parameters
    ----------
    components
        One block each, in this order; names from `components.COMPONENTS`. "left_eye+right_eye" is one block that
        sees both eyes, stacked as channels; its input is named "left_eye_and_right_eye".
    size, frames, channels
        A block's input: `frames` square crops of `size` pixels.
    filters, dense
        Filters of the ConvLSTM, units of the hidden dense layer.
    pixels
        "raw": the ConvLSTM gets values 0-255 (as in the authors' code, which also keeps OpenCV's channel order, blue
        first). "scaled": a first layer maps them to -1..1.
    gates
        One of GATES. The authors' code takes the default of the Keras of its time, "hard_sigmoid".

    Returns
    -------
    keras.Model
        Input: a dict {component: (B, frames, size, size, channels)}, values 0-255. Output: (B, 7),
        probabilities in the order of `labels.EMOTIONS`. With one component the block's own softmax is the output.

    Raises
    ------
    ValueError
        Unknown, repeated or no components; an unknown `pixels` or `gates`; frames smaller than the kernel.
    """
    gate = _gate_function(gates)
    conv_lstm = partial(layers.ConvLSTM2D, filters, 3, recurrent_activation=gate, data_format="channels_last")
    return _network("microx_published", conv_lstm, components, (frames, size, size, channels), dense, pixels, 1)


def build_compact(
    components: Sequence[str] = PAPER_COMPONENTS,
    *,
    size: int = 32,
    frames: int = 10,
    channels: int = 3,
    filters: int = 16,
    stride: int = 2,
    pool: int = 1,
    dense: int = 64,
    pixels: str = "scaled",
    gates: str = "sigmoid",
) -> keras.Model:
    """Return the paper's network with smaller blocks, for a laptop; not compiled.

    Layers, order and fusion are those of `build_published`. The crop is smaller (32 px), and so are the ConvLSTM (16
    filters; its input convolution has stride 2, so the state has a quarter of the area) and the dense layer.

    Parameters
    ----------
    stride, pool
        Stride of the ConvLSTM's input convolution, px, and side of the squares of its state that are then averaged.

    The other parameters, the return value and the errors are those of `build_published`.
    """
    conv_lstm = partial(FastConvLSTM2D, filters, 3, stride, gates)
    return _network("microx_compact", conv_lstm, components, (frames, size, size, channels), dense, pixels, pool)


def _network(
    name: str, layer: Callable, components: Sequence[str], shape: tuple[int, ...], dense: int, pixels: str, pool: int
) -> keras.Model:
    """Give each component its block (section IV.C), and fuse the blocks' softmaxes by one dense softmax (IV.D).

    The shapes in the comments are those of the published network and, after the bar, of the compact one.
    """
    pinned_keras()
    check_blocks(components)
    if pixels not in ("raw", "scaled"):
        raise ValueError(f'pixels is {pixels!r}; give "raw" or "scaled"')
    *sides, channels = shape
    inputs = {
        block_name(block): keras.Input((*sides, channels * len(block_parts(block))), name=block_name(block))
        for block in components
    }
    outputs = []
    for component, x in inputs.items():  # (B, 10, 60, 60, 3) | (B, 10, 32, 32, 3)
        if pixels == "scaled":
            x = layers.Rescaling(1 / 127.5, offset=-1.0, name=f"{component}_rescaling")(x)  # 0..255 -> -1..1
        x = layer(name=f"{component}_conv_lstm2d")(x)  # (B, 58, 58, 64) | (B, 15, 15, 16)
        if pool > 1:
            x = layers.AveragePooling2D(pool, padding="same", name=f"{component}_pool")(x)
        x = layers.Dropout(0.2, name=f"{component}_dropout")(x)
        x = layers.Flatten(name=f"{component}_flatten")(x)  # (B, 215296) | (B, 3600)
        x = layers.Dense(dense, activation="relu", name=f"{component}_dense")(x)  # (B, 256) | (B, 64)
        x = layers.Dropout(0.3, name=f"{component}_dropout_1")(x)
        outputs.append(layers.Dense(len(EMOTIONS), activation="softmax", name=f"{component}_dense_1")(x))  # (B, 7)
    if len(outputs) == 1:
        return keras.Model(inputs, outputs[0], name=name)
    joined = layers.Concatenate(name=f"{FUSION}_concatenate")(outputs)  # (B, 7K)
    emotion = layers.Dense(len(EMOTIONS), activation="softmax", name=f"{FUSION}_dense")(joined)  # (B, 7)
    return keras.Model(inputs, emotion, name=name)


def shapes_only(build: Callable[..., keras.Model], *arguments: Any, **options: Any) -> keras.Model:
    """Return `build(*arguments, **options)` without allocating weights: the layers only know their weights' shapes.

    Even the published network can be counted and drawn like this on any machine. It can't be run or trained.

    >>> f"{shapes_only(build_published).count_params():,}"
    '276,362,527'
    """

    def built() -> keras.Model:
        with keras.StatelessScope(initialize_variables=False):
            return build(*arguments, **options)

    # Keras lists weights without values, and would fill them after the next model is built. The list is the thread's.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(built).result()
