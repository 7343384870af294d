"""Variants of the compact MicroX, for `accuracy_cost.py`: what may be changed, and the networks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
from keras import layers, ops

from microx_utils.experiments import Experiment
from microx_utils.models import FastConvLSTM2D, _network, _unit_forget_bias

STOCK = "published design"
"""The name of the most expensive variant: 64 filters, every position, 256 units."""


@dataclass(frozen=True)
class Variant:
    """A network, and how it is trained.

    Attributes
    ----------
    experiment
        Its filters, stride, pool and dense units are the network's, its augment, epochs and learning_rate the
        training's. Its crops are those of the store.
    size
        Side to which crops are reduced, px.
    every
        Of a segment's frames, every so-manieth is seen, from the first on.
    shared
        The ConvLSTMs of all components have the same weights.
    separable
        The recurrent convolution is one of each channel alone, then one of single pixels over all channels.
    """

    experiment: Experiment
    size: int
    every: int = 1
    shared: bool = False
    separable: bool = False

    @property
    def frames(self) -> int:
        """How many frames of a segment are seen."""
        return len(range(0, self.experiment.frames, self.every))


class SeparableConvLSTM2D(FastConvLSTM2D):
    """`FastConvLSTM2D` with a separable recurrent convolution."""

    def build(self, input_shape: Sequence[int | None]) -> None:
        self._check(input_shape)
        F, k = self.filters, self.kernel_size
        self.kernel = self.add_weight((k, k, input_shape[-1], 4 * F), "glorot_uniform", name="kernel")
        self.bias = self.add_weight((4 * F,), _unit_forget_bias, name="bias")
        self.depthwise = self.add_weight((k, k, F, 1), "glorot_uniform", name="depthwise")
        self.pointwise = self.add_weight((1, 1, F, 4 * F), "orthogonal", name="pointwise")
        self.built = True

    def steps(self, x: Any) -> Iterator[dict[str, Any]]:
        T, H, W, C = x.shape[1:]
        _, rows, columns, F = self.compute_output_shape(x.shape)
        x = ops.reshape(ops.transpose(x, (1, 0, 2, 3, 4)), (-1, H, W, C))
        z = ops.conv(x, self.kernel, strides=self.strides, padding="valid", data_format="channels_last") + self.bias
        h = c = None
        for z_t in ops.unstack(ops.reshape(z, (T, -1, rows, columns, 4 * F)), T, axis=0):
            if h is not None:
                h = ops.depthwise_conv(h, self.depthwise, padding="same", data_format="channels_last")
                z_t = z_t + ops.conv(h, self.pointwise, padding="same", data_format="channels_last")
            i, f, u, o = ops.split(z_t, 4, axis=-1)
            i, f, u, o = self.gate(i), self.gate(f), ops.tanh(u), self.gate(o)
            c = i * u if c is None else f * c + i * u
            h = o * ops.tanh(c)
            yield {"i": i, "f": f, "u": u, "o": o, "c": c, "h": h}


def network(variant: Variant, *, keras_layer: bool = False) -> keras.Model:
    """Return a variant's network, not compiled: that of `models.build_compact`, but for what the variant changes.

    With `keras_layer` its ConvLSTMs are Keras's own, which compute the same more slowly.

    Inputs {component: (B, frames, size, size, 3)}, values 0-255; output (B, 7).
    """
    v, e = variant, variant.experiment
    kind = SeparableConvLSTM2D if v.separable else layers.ConvLSTM2D if keras_layer else FastConvLSTM2D
    layer: Callable[..., Any] = partial(kind, e.filters, 3, e.stride)
    if v.shared:
        layer = partial(lambda one, name: one, layer(name="shared_conv_lstm2d"))
    return _network("variant", layer, e.components, (v.frames, v.size, v.size, 3), e.dense, e.pixels, e.pool)


def variants_of(experiment: Experiment) -> dict[str, Variant]:
    """Return the variants: an experiment's network, one change each, two together, the published design."""

    def changed(*, size: int = experiment.crop_size, every: int = 1, **values: Any) -> Variant:
        return Variant(replace(experiment, **values), size, every)

    usual = changed()
    return {
        "profile": usual,
        "filters_16": changed(filters=16),
        "pool_3": changed(pool=3),
        "size_24": changed(size=24),
        "every_2": changed(every=2),
        "shared": replace(usual, shared=True),
        "separable": replace(usual, separable=True),
        "augment": changed(augment=True),
        "pool_3+augment": changed(pool=3, augment=True),
        STOCK: changed(filters=64, stride=1, pool=1, dense=256),
    }
