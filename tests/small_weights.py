"""Weights of a small network without training, in a folder as `microx train robust` makes them."""

import json
from pathlib import Path

from microx_utils.robust.network import Design, build


def write_small_weights(folder: Path) -> Path:
    """Fill `folder`, which is made, and return it."""
    design = Design(filters=(2, 2, 2), features=4)
    network = build(design)
    folder.mkdir()
    network.frame.save_weights(folder / "frame.weights.h5")
    network.span.save_weights(folder / "span.weights.h5")
    (folder / "design.json").write_text(json.dumps(design.settings()))
    (folder / "card.json").write_text('{"limits": "few"}')
    return folder
