"""How much arithmetic a MicroX network is: multiplications and additions of its convolutions and dense layers."""

from typing import Any


def layer_flop(layer: Any) -> tuple[int, int]:
    """Return a layer's multiplications and additions for one segment: those on its input, and those on its own state.

    Counted is what the result needs. The first frame has no state yet, so its recurrent convolution, which Keras's
    ConvLSTM2D computes on zeros, is left out, as are activations, biases and gates. Other layers count as nothing.

    >>> import keras
    >>> dense = keras.layers.Dense(4)
    >>> dense.build((None, 10))
    >>> layer_flop(dense)
    (80, 0)
    """
    kind = type(layer).__name__
    if kind == "Dense":
        return 2 * layer.kernel.shape[0] * layer.kernel.shape[1], 0
    if kind not in ("ConvLSTM2D", "FastConvLSTM2D"):
        return 0, 0
    frames = layer.input.shape[1]
    rows, columns = layer.output.shape[1:3]
    kernel, recurrent = layer.get_weights()[:2]
    return 2 * kernel.size * rows * columns * frames, 2 * recurrent.size * rows * columns * (frames - 1)


def step_flop(model: Any) -> int:
    """Return the multiplications and additions of a training step, for one segment.

    The backward pass takes as much as the forward pass for the gradient of the weights and as much again for that of
    the input, which a block's first convolution can leave out.
    """
    total = 0
    for layer in model.layers:
        on_input, on_state = layer_flop(layer)
        total += (3 if type(layer).__name__ == "Dense" else 2) * on_input + 3 * on_state
    return total
