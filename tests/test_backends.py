"""The same weights give the same outputs on every backend of Keras that is installed, each in a process of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
ANSWER = """
import sys
import numpy as np
from keras import backend, ops
from microx_utils.models import GATES, build_compact, build_published

assert backend.backend() == sys.argv[1]
rng, found = np.random.default_rng(0), {}
for build, more in ((build_published, {}), (build_compact, {"pool": 2})):
    for gates in GATES:
        options = {"frames": 4, "filters": 4, "dense": 8, "pixels": "scaled", "gates": gates, **more}
        model = build(("nose", "left_eye+mouth"), size=12, **options)
        model.set_weights([rng.normal(0, 0.3, weight.shape) for weight in model.get_weights()])
        shapes = {name: (3, *given.shape[1:]) for name, given in model.input.items()}
        inputs = {name: rng.integers(0, 256, shape).astype(np.float32) for name, shape in shapes.items()}
        found[f"{build.__name__}_{gates}"] = ops.convert_to_numpy(model(inputs))
np.savez(sys.argv[2], **found)
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, np.ndarray]]:
    found = {}
    for name in BACKENDS:
        file = tmp_path_factory.mktemp("answers") / f"{name}.npz"
        environment = os.environ | {"KERAS_BACKEND": name, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        command = [sys.executable, "-c", ANSWER, name, str(file)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        found[name] = dict(np.load(file))
    return found


@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "tensorflow"])
def test_same_weights_same_outputs(name: str, answers: dict[str, dict[str, np.ndarray]]) -> None:
    assert len(answers["tensorflow"]) == 4
    for network, expected in answers["tensorflow"].items():
        assert np.ptp(expected, axis=0).max() > 0.01  # the segments' answers differ
        np.testing.assert_allclose(answers[name][network], expected, atol=2e-6)
