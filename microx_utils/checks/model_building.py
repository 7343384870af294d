"""The exercises of notebook 04."""

from microx_utils.checks.verdict import Verdict, check, compare
from microx_utils.labels import EMOTIONS


@check
def reach(given: int, *, kernel: int, frames: int) -> Verdict:
    """Check how many positions across the last state a pixel of the first of `frames` frames can reach."""
    side = kernel - 1
    mistakes = {
        "That is the input's kernel alone. The state is convolved again in every later frame.": kernel,
        "A state is handed on once less than there are frames.": kernel + side * frames,
        "Kernels don't add up like that: each adds one position at either end.": kernel * frames,
        "You counted the steps from frame to frame; the input's own kernel comes on top.": 1 + side * (frames - 1),
        "Each step reaches one position further on both sides.": kernel + frames - 1,
    }
    praise = (
        f"{kernel} across in its own frame, and {side} more in each of {frames - 1} frames. It is what can be reached: "
        "a change that shrinks at every step may vanish on the way, as the last lines of the cell show."
    )
    return compare(given, kernel + side * (frames - 1), mistakes=mistakes, praise=praise)


@check
def pooled_block(given: int, *, channels: int, filters: int, hidden: int, flattened: int) -> Verdict:
    """Check the weights of a block whose flatten is replaced by an average over all positions.

    Parameters
    ----------
    given
        Of the ConvLSTM with 3x3 kernels, the dense layer and the softmax, biases included.
    flattened
        Features that flatten hands to the dense layer in the published block.
    """
    cell = 4 * filters * (9 * channels + 9 * filters + 1)
    classes = len(EMOTIONS)
    answer = (hidden + 1) * classes
    wanted = cell + (filters + 1) * hidden + answer
    mistakes = {
        "That is the published block, with flatten.": cell + (flattened + 1) * hidden + answer,
        "The biases are missing: one for each neuron of the two dense layers.": cell
        + filters * hidden
        + hidden * classes,
        "The softmax layer is missing.": wanted - answer,
        "The ConvLSTM's own weights are missing.": wanted - cell,
        "A ConvLSTM has four gates, each with kernels of its own.": wanted - 3 * cell // 4,
    }
    published = cell + (flattened + 1) * hidden + answer
    praise = (
        f"{wanted:,} in place of {published:,} weights. The average keeps one number for each filter: where something "
        "was seen is gone, and in aligned crops place means much."
    )
    return compare(given, wanted, mistakes=mistakes, praise=praise)
