"""How long one segment's prediction takes, by runtime: Keras, a compiled TensorFlow function, LiteRT.

    python benchmarks/latency.py [--rounds 30]

The network has the class profile's size and untrained weights, which take as long as trained ones. That all runtimes
give the same probabilities is checked first.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from microx_utils.experiments import get_profile, load_experiment
from microx_utils.support.keras_setup import prepare_networks
from microx_utils.tools.measure import in_turns, ratio_row, report, time_row
from microx_utils.training import build

CALLS = 5
"""Predictions in a round."""


def litert(model: Any) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Return a function that predicts with LiteRT on one core."""
    inputs = {each.name: tf.TensorSpec((1, *each.shape[1:]), tf.uint8, name=each.name) for each in model.inputs}
    function = tf.function(lambda x: model(x, training=False), input_signature=[inputs]).get_concrete_function()
    frozen = convert_variables_to_constants_v2(function)  # else LiteRT finds no values for the weights
    content = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    places = {each["name"]: each["index"] for each in interpreter.get_input_details()}
    (out,) = interpreter.get_output_details()

    def predict(x: dict[str, np.ndarray]) -> np.ndarray:
        for name, crops in x.items():
            interpreter.set_tensor(places[name], crops)
        interpreter.invoke()
        return interpreter.get_tensor(out["index"])

    return predict


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    prepare_networks()
    model = build(load_experiment("table1_microx", get_profile("class")))
    rng = np.random.default_rng(0)
    x = {each.name: rng.integers(0, 256, (1, *each.shape[1:]), np.uint8) for each in model.inputs}
    compiled = tf.function(model, reduce_retracing=True)
    runtimes: dict[str, Callable[[dict[str, np.ndarray]], Any]] = {
        "Keras's predict_on_batch": model.predict_on_batch,
        "a compiled tf.function": lambda given: compiled(given, training=False).numpy(),
        "LiteRT": litert(model),
    }
    keras_way, _, lite_way = runtimes
    for predict in runtimes.values():
        np.testing.assert_allclose(predict(x), runtimes[keras_way](x), atol=1e-4)

    def repeated(predict: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[], None]:
        def work() -> None:
            for _ in range(CALLS):
                predict(x)

        return work

    taken = in_turns({name: repeated(predict) for name, predict in runtimes.items()}, options.rounds)
    rows = [time_row(f"one segment by {name}", taken, name, per=CALLS) for name in runtimes]
    rows += [time_row(f"one segment by {name}, by the clock", taken, name, per=CALLS, clock=True) for name in runtimes]
    rows.append(ratio_row("LiteRT, against Keras", taken, keras_way, lite_way))
    shape = "×".join(map(str, x["mouth"].shape[1:]))
    report("Prediction of one segment, class profile", rows, batch=1, components=len(x), input=shape)


if __name__ == "__main__":
    main()
