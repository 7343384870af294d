"""A training step of the published block and of the compact network, and what its arithmetic would take.

    python benchmarks/training.py [--rounds 7] [--batch 8]

The published block: one component at 60 px, 64 filters, by Keras's ConvLSTM2D and by the package's layer, with a dense
layer that is small enough for a laptop. The compact network: the class profile's, by Keras and, where it is installed,
by plain PyTorch with the same weights; that both give the same is checked first. Speeds are in GFLOP of the network's
convolutions and dense layers in a second of processor time, beside NumPy's matrix product in the same rounds.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np

from microx_utils.components import PAPER_COMPONENTS
from microx_utils.experiments import get_profile, load_experiment
from microx_utils.models import build_compact, build_published
from microx_utils.support.keras_setup import prepare_networks
from microx_utils.tools.flop import step_flop
from microx_utils.tools.measure import PRODUCT, PRODUCT_FLOP, Row, in_turns, rate_row, ratio_row, report, time_row
from microx_utils.training import build

SIZE = 60  # px, the published network's crops
DENSE = 16  # in place of 256: the published dense layer's 55 million weights would be all that is measured


def published_blocks() -> tuple[keras.Model, keras.Model]:
    """Return one block of the published network with a small dense layer: by Keras's layer, and by the package's."""
    options = {"size": SIZE, "filters": 64, "dense": DENSE, "pixels": "scaled", "gates": "sigmoid"}
    stock = build_published(["mouth"], **options)
    own = build_compact(["mouth"], stride=1, **options)
    own.set_weights(stock.get_weights())
    return stock, own


def pictures(model: keras.Model, batch: int) -> dict[str, np.ndarray]:
    """Return random input of a network."""
    rng = np.random.default_rng(0)
    return {each.name: rng.integers(0, 256, (batch, *each.shape[1:]), np.uint8) for each in model.inputs}


def keras_step(model: keras.Model, batch: int) -> Callable[[], object]:
    """Return a function that takes a training step with Adam."""
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    return partial(model.train_on_batch, pictures(model, batch), np.arange(batch) % 7)


def torch_step(model: keras.Model, batch: int) -> Callable[[], object] | None:
    """Return the same in plain PyTorch; None, and a line that says so, where it isn't installed."""
    try:
        import torch
        from torch_network import Compact
    except ImportError as error:
        print(f"PyTorch is left out: {error}")
        return None
    torch.set_num_threads(1)  # more would wait for each other by spinning, and waiting counts as processor time
    network, given = Compact(model), pictures(model, batch)
    x = {name: torch.from_numpy(each) for name, each in given.items()}
    network.eval()
    with torch.no_grad():
        np.testing.assert_allclose(network(x).softmax(-1), model.predict_on_batch(given), atol=1e-5)
    network.train()
    optimizer, labels = torch.optim.Adam(network.parameters(), 1e-3), torch.arange(batch) % 7

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), labels).backward()
        optimizer.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=8, help="segments in a step (default 8, the paper's)")
    options = parser.parse_args()
    prepare_networks()
    profile = get_profile("class")
    block, own_block = published_blocks()
    networks = {
        "published block, Keras's ConvLSTM2D": block,
        "published block, the package's layer": own_block,
        "compact network, Keras": build(load_experiment("table1_microx", profile)),
    }
    flop = {name: step_flop(network) * options.batch for name, network in networks.items()}
    cases: dict[str, Callable[[], Any]] = {}
    stock, own, compact = networks
    given = pictures(block, 2)
    np.testing.assert_allclose(own_block.predict_on_batch(given), block.predict_on_batch(given), atol=1e-5)
    plain = torch_step(networks[compact], options.batch)  # before training changes the weights that it takes
    for name, network in networks.items():
        cases[name] = keras_step(network, options.batch)
    if plain is not None:
        cases["compact network, plain PyTorch"] = plain
        flop["compact network, plain PyTorch"] = flop[compact]
    taken = in_turns(cases, options.rounds, warm_up=2)

    rows: list[Row] = []
    for name in cases:
        rows.append(time_row(f"{name}, a segment", taken, name, per=options.batch))
        rows.append(rate_row(f"{name}, speed", taken, name, per=flop[name] / 1e9, unit="GFLOP/s"))
    rows.append(rate_row("matrix product, speed", taken, PRODUCT, per=PRODUCT_FLOP / 1e9, unit="GFLOP/s"))
    rows.append(ratio_row("the package's layer, against Keras's", taken, stock, own))
    if plain is not None:
        rows.append(ratio_row("compact: Keras, against PyTorch", taken, "compact network, plain PyTorch", compact))
    settings = {"batch": options.batch, "block": f"{SIZE} px", "crop": f"{profile.crop_size} px"}
    settings |= {"filters": profile.filters, "components": len(PAPER_COMPONENTS), "backend": keras.backend.backend()}
    report("Training step, processor time over all cores", rows, **settings)


if __name__ == "__main__":
    main()
