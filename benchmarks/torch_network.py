"""The compact network in plain PyTorch, with a Keras model's weights; `benchmarks/training.py` times it."""

import keras
import torch
from torch import nn
from torch.nn import functional

from microx_utils.components import PAPER_COMPONENTS


class ConvLSTM(nn.Module):
    """`models.FastConvLSTM2D`: (B, T, C, H, W) to the last hidden state, (B, F, H', W')."""

    def __init__(self, layer: keras.Layer) -> None:
        super().__init__()
        kernel, recurrent, bias = map(torch.from_numpy, layer.get_weights())
        self.kernel = nn.Parameter(kernel.permute(3, 2, 0, 1).contiguous())
        self.recurrent = nn.Parameter(recurrent.permute(3, 2, 0, 1).contiguous())
        self.bias, self.stride = nn.Parameter(bias), layer.strides

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        B, T = x.shape[:2]
        z = functional.conv2d(x.flatten(0, 1), self.kernel, self.bias, self.stride)
        h = c = None
        for z_t in z.unflatten(0, (B, T)).unbind(1):
            if h is not None:
                z_t = z_t + functional.conv2d(h, self.recurrent, padding="same")
            i, f, u, o = z_t.chunk(4, 1)
            c = i.sigmoid() * u.tanh() if c is None else f.sigmoid() * c + i.sigmoid() * u.tanh()
            h = o.sigmoid() * c.tanh()
        return h


def linear(layer: keras.Layer) -> nn.Linear:
    """Return a dense layer with the weights of Keras's."""
    weights, bias = layer.get_weights()
    made = nn.Linear(*weights.shape)
    made.weight, made.bias = nn.Parameter(torch.from_numpy(weights.T.copy())), nn.Parameter(torch.from_numpy(bias))
    return made


class Compact(nn.Module):
    """`models.build_compact` at its defaults, whatever its size; returns logits (B, 7)."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.names = list(PAPER_COMPONENTS)  # the order in which they are joined; that of model.inputs is by name
        each = [
            [model.get_layer(f"{name}_{part}") for part in ("conv_lstm2d", "dense", "dense_1")] for name in self.names
        ]
        self.recurrent = nn.ModuleList(ConvLSTM(layers[0]) for layers in each)
        self.hidden = nn.ModuleList(linear(layers[1]) for layers in each)
        self.out = nn.ModuleList(linear(layers[2]) for layers in each)
        self.fusion = linear(model.get_layer("fusion_dense"))
        self.pool = next((layer.pool_size[0] for layer in model.layers if layer.name.endswith("_pool")), 1)

    def forward(self, x: dict[str, torch.Tensor]) -> torch.Tensor:
        answers = []
        for name, recurrent, hidden, out in zip(self.names, self.recurrent, self.hidden, self.out, strict=True):
            scaled = (x[name].float() / 127.5 - 1).permute(0, 1, 4, 2, 3)
            state = functional.avg_pool2d(recurrent(scaled), self.pool)
            state = functional.dropout(state, 0.2, self.training)
            state = hidden(state.permute(0, 2, 3, 1).flatten(1)).relu()  # Keras flattens channels last
            answers.append(out(functional.dropout(state, 0.3, self.training)).softmax(-1))
        return self.fusion(torch.cat(answers, -1))
