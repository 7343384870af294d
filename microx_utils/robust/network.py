"""The robust network: blocks with shared weights, availability from pixels, attention over components and over frames.

For each frame, component k of K = 7 gives features h_k: those of a small convolutional network, which sees the crop and
its change since the own neutral, beside those of how the landmarks have moved. Then

    c_k = relu(A_k appearance_k)
    a_k = sigmoid(v_k . [c_k, c_face]) * given_k             can it be seen? (given: inside the picture, face found)
    e_k = u . tanh(U h_k)                                    how much has it to say?
    w_k = a_k^2 exp(e_k) / (sum_j a_j^2 exp(e_j) + 0.01)     its weight: what is half hidden is more than half wrong
    z   = sum_k w_k V_k h_k                                  what all that can be seen says, of one size for any number

so a hidden component has no say, and the weights of the others grow. Frames are joined in the same way, and one softmax
names the emotion. The components' features are joined, not seven verdicts of each (paper, section IV.D).

Shapes in the comments: B spans, T frames, K components, S x S pixels, D features. Keras 3 layers and `keras.ops` only.
"""

from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from microx_utils.components import COMPONENTS
from microx_utils.labels import EMOTIONS
from microx_utils.robust.inputs import MOVES
from microx_utils.support.keras_setup import pinned_keras

BLOCKS = {
    "face": ("full_face",),
    "brow": ("left_eyebrow", "right_eyebrow"),
    "eye": ("left_eye", "right_eye"),
    "nose": ("nose",),
    "mouth": ("mouth",),
}
"""Block -> the components that share its weights."""
_BLOCK_OF = [k for name in COMPONENTS for k, names in enumerate(BLOCKS.values()) if name in names]

FLOOR = 0.01
"""Keeps the weights finite where nothing can be seen: they then add up to less than 1."""


@dataclass(frozen=True)
class Design:
    """The size of a network.

    Attributes
    ----------
    size
        Side of the crops, px.
    filters
        Filters of the three convolutions, each of stride 2.
    features
        D, of a component and of the joined face.
    units
        Names of the action units that it also learns to read, () for none; see `learning`.
    dropout
        Share of features that training leaves out.
    covers
        Features of a component from which availability is told, its own and the full face's.
    """

    size: int = 32
    filters: tuple[int, int, int] = (8, 16, 24)
    features: int = 48
    units: tuple[str, ...] = ()
    dropout: float = 0.3
    covers: int = 24

    def settings(self) -> dict[str, Any]:
        """Return plain values, as for `Design(**values)`, for keys and files."""
        return asdict(self)


@dataclass(frozen=True)
class Network:
    """The two halves of the robust model, which share nothing: a frame is looked at once, whatever spans it is part of.

    Attributes
    ----------
    design
        Its size.
    frame
        Inputs: those of `inputs.frame_inputs` for N frames, without the axis of time. Outputs: face (N, D), what can be
        seen, joined; available (N, 7), how likely each component can be seen; weights (N, 7), its share in the joined
        face, together nearly 1; and, if the design has some, units (N, n), intensities of action units.
    span
        Input: faces (B, T, D), T free. Outputs: emotion (B, 7), probabilities in the order of `EMOTIONS`, and moments
        (B, T), the weights of the frames.
    """

    design: Design
    frame: keras.Model
    span: keras.Model

    def together(self, frames: int) -> keras.Model:
        """Return one network of both halves, with the same weights, for spans of so many frames: it is trained.

        Inputs and outputs as those of the halves, each with the axes (B, T).
        """
        shapes = {name: tensor.shape[1:] for name, tensor in self.frame.input.items()}
        dtypes = {name: tensor.dtype for name, tensor in self.frame.input.items()}
        inputs = {name: keras.Input((frames, *shape), dtype=dtypes[name], name=name) for name, shape in shapes.items()}
        found = self.frame({name: ops.reshape(x, (-1, *shapes[name])) for name, x in inputs.items()})
        found = {name: ops.reshape(x, (-1, frames, x.shape[-1])) for name, x in found.items()}
        return keras.Model(inputs, found | self.span(found["face"]), name="microx_robust")

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        return int(self.frame.count_params() + self.span.count_params())


def build(design: Design) -> Network:
    """Return the network, untrained."""
    pinned_keras()
    return Network(design, _frame_network(design), _span_network(design))


@keras.saving.register_keras_serializable("microx")
class BlockDense(layers.Layer):
    """A dense layer for each component, whose weights both sides of the face share: (N, 7, n) -> (N, 7, units)."""

    def __init__(self, units: int, activation: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.activation = units, keras.activations.get(activation)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (len(BLOCKS), input_shape[-1], self.units)
        of_each = keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform")
        self.kernel = self.add_weight(
            shape, lambda shape, dtype: ops.stack([of_each(shape[1:], dtype) for _ in BLOCKS]), name="kernel"
        )
        self.bias = self.add_weight((len(BLOCKS), self.units), "zeros", name="bias")

    def call(self, x: Any) -> Any:
        kernel, bias = ops.take(self.kernel, _BLOCK_OF, axis=0), ops.take(self.bias, _BLOCK_OF, axis=0)  # (7, n, units)
        return self.activation(ops.einsum("nki,kio->nko", x, kernel) + bias)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)


def _frame_network(design: Design) -> keras.Model:
    S, D, K = design.size, design.features, len(COMPONENTS)
    pixels = keras.Input((K, S, S, 4), dtype="uint8", name="pixels")
    moves = keras.Input((K, MOVES), name="moves")
    given = keras.Input((K,), name="given")
    x = ops.reshape(ops.cast(pixels, "float32"), (-1, S, S, 4)) / 127.5 - 1.0  # (N K, S, S, 4)
    x = x * np.array([1, 1, 1, 4], np.float32)  # an expression changes few levels
    for number, filters in enumerate(design.filters):
        x = layers.Conv2D(filters, 3, 2, "same", activation="relu", name=f"conv_{number}")(x)
    x = ops.reshape(x, (-1, K, x.shape[1] * x.shape[2] * x.shape[3]))  # (N, K, n)
    x = layers.Dropout(design.dropout, name="dropout")(x)
    covers = BlockDense(design.covers, "relu", name="covers")(x)  # (N, K, c)
    face = COMPONENTS.index("full_face")
    whole = ops.tile(covers[:, face : face + 1], (1, K, 1))  # it shows what a mouth's crop can't
    covers = ops.concatenate([covers, whole], axis=-1)
    available = ops.sigmoid(BlockDense(1, name="seen")(covers)[..., 0]) * given  # (N, K)
    looks = BlockDense(D, "relu", name="looks")(x)
    moved = BlockDense(D // 2, "relu", name="moved")(moves)
    h = ops.concatenate([looks, moved], axis=-1)  # (N, K, 3/2 D)
    say = BlockDense(1, name="say")(BlockDense(D // 2, "tanh", name="key")(h))[..., 0]  # (N, K)
    value = BlockDense(D, name="value")(h)  # (N, K, D)
    votes = ops.square(available) * ops.exp(ops.clip(say, -6.0, 6.0))
    weights = votes / (ops.sum(votes, axis=1, keepdims=True) + FLOOR)
    face = ops.relu(ops.sum(ops.expand_dims(weights, -1) * value, axis=1))  # (N, D)
    outputs = {"face": face, "available": available, "weights": weights}
    if design.units:
        outputs["units"] = layers.Dense(len(design.units), name="units")(face)
    return keras.Model({"pixels": pixels, "moves": moves, "given": given}, outputs, name="frame")


def _span_network(design: Design) -> keras.Model:
    D = design.features
    faces = keras.Input((None, D), name="faces")
    told = layers.Dense(D, activation="relu", name="told")(layers.Dropout(design.dropout, name="told_dropout")(faces))
    moments = ops.softmax(layers.Dense(1, name="when")(told), axis=1)  # (B, T, 1)
    joined = ops.concatenate([ops.sum(moments * told, axis=1), ops.max(told, axis=1)], axis=-1)  # (B, 2 D)
    joined = layers.Dropout(design.dropout, name="emotion_dropout")(joined)
    emotion = layers.Dense(len(EMOTIONS), activation="softmax", name="emotion")(joined)
    return keras.Model(faces, {"emotion": emotion, "moments": moments[..., 0]}, name="span")
