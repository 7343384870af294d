"""The training dashboard: loss, accuracy and gates while a small network trains (paper, sections IV.E and V.A).

Nothing here sees a test person. An epoch takes a second or two, since only some segments of the training and
validation people are used; scores of such runs say how training goes, not how good a network is.
"""

import asyncio
import dataclasses
import html
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from tqdm import tqdm

from microx_utils import evaluation, training
from microx_utils.batches import batches, split_table
from microx_utils.crops import CropStore
from microx_utils.experiments import Experiment
from microx_utils.labels import CHANCE, EMOTIONS, PROBABILITIES
from microx_utils.plots.charts import PALETTE
from microx_utils.plots.style import MUTED, caption_data, write_head, write_percent
from microx_utils.support.keras_setup import pinned_keras
from microx_utils.widgets.live import Live, button, choice, problem_html, side_by_side
from microx_utils.widgets.shown import Html, Seen

BINS = np.linspace(0, 1, 21)
"""Edges of the histograms of gate values. In the first and the last bin, below 0.05 and above 0.95, a gate is called
saturated: there the sigmoid's slope is at most a fifth of its largest."""

RATES = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
_BATCH = 16  # segments whose gates are looked at
_HIGHEST_LOSS = 4.0  # of the chart: one run with a rate that is too high would flatten all others


@dataclasses.dataclass
class Trial:
    """One run of the dashboard: its settings, a row for each epoch, and the share of gate values in each of BINS."""

    number: int
    experiment: Experiment
    rows: list[dict[str, float]] = dataclasses.field(default_factory=list)
    gates: list[NDArray[np.float64]] = dataclasses.field(default_factory=list)

    @property
    def label(self) -> str:
        """Its settings, as the legend has them."""
        settings = self.experiment
        return f"{self.number}: {settings.pixels}, {settings.optimizer} {settings.learning_rate:g}"

    @property
    def history(self) -> pd.DataFrame:
        """Indexed by epoch, 0 before training: loss, accuracy, val_loss, val_accuracy, low, high, saturated."""
        return pd.DataFrame(self.rows).set_index("epoch")

    def add(self, row: Mapping[str, float], gates: NDArray[np.float64]) -> None:
        """Take what `train_epochs` yields."""
        self.rows.append({**row, "saturated": float(gates[0] + gates[-1])})
        self.gates.append(gates)


def pick_segments(experiment: Experiment, store: CropStore, *, most: int = 256) -> dict[str, pd.DataFrame]:
    """Return some segments of the people to train on ("train") and to validate on, drawn by the experiment's seed."""
    table = split_table(experiment, store)
    sides = {side: table[table["split"] == side] for side in ("train", "validation")}
    return {
        side: rows.sample(min(len(rows), most), random_state=experiment.seed, ignore_index=True)
        for side, rows in sides.items()
    }


def fresh_weights(experiment: Experiment) -> list[NDArray[np.float32]]:
    """Return an untrained network's weights, drawn by the experiment's seed: the same for scaled and for raw pixels."""
    pinned_keras().utils.set_random_seed(experiment.seed)
    return training.build(experiment).get_weights()


def train_epochs(
    experiment: Experiment,
    store: CropStore,
    sides: Mapping[str, pd.DataFrame],
    weights: Sequence[NDArray[np.float32]],
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[dict[str, float], NDArray[np.float64]]]:
    """Train from these weights; yield a row of the history and the gates' histogram before and after each epoch.

    The same experiment gives the same rows: no randomness comes from Python's or Keras's global seeds, which any other
    thread of a kernel may use meanwhile. `stopped` is asked before each batch; what an epoch has done by then is not
    yielded.

    Raises
    ------
    FloatingPointError
        The loss or an output of the network is infinite or not a number.
    ValueError
        The network has no FastConvLSTM2D, whose gates can be read.
    """
    import keras

    from microx_utils.models import FastConvLSTM2D

    model = training.build(experiment)
    model.set_weights(weights)
    optimizers = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    optimizer = optimizers[experiment.optimizer](experiment.learning_rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    blocks = [layer for layer in model.layers if isinstance(layer, FastConvLSTM2D)]
    if not blocks:
        raise ValueError(f"experiment {experiment.name!r} has no FastConvLSTM2D; use the compact model")
    before_blocks = keras.Model(model.input, [block.input for block in blocks])
    (inputs, labels), (seen, truth) = (
        next(batches(sides[side], store, experiment, size=len(sides[side]))) for side in ("train", "validation")
    )
    looked_at = {name: crops[:_BATCH] for name, crops in seen.items()}
    size = min(experiment.batch_size, len(labels))
    for epoch in range(experiment.epochs + 1):
        row: dict[str, float] = {"epoch": epoch}
        if epoch:
            for place, layer in enumerate(layer for layer in model.layers if hasattr(layer, "seed_generator")):
                drawn = np.random.SeedSequence([experiment.seed, epoch, place]).generate_state(2)
                layer.seed_generator.state.assign(drawn)  # dropout's
            order = np.random.default_rng([experiment.seed, epoch]).permutation(len(labels))
            sums = {"loss": 0.0, "accuracy": 0.0}
            steps = len(labels) // size  # full batches: the network would be compiled again for a smaller last one
            for chosen in order[: steps * size].reshape(steps, size):
                if stopped():
                    return
                batch = {name: crops[chosen] for name, crops in inputs.items()}
                logs = model.train_on_batch(batch, labels[chosen], return_dict=True)
                sums = {name: total + float(logs[name]) / steps for name, total in sums.items()}
            row |= sums
        answers = model.predict_on_batch(seen)
        if not (np.isfinite(answers).all() and np.isfinite(row.get("loss", 0.0))):
            raise FloatingPointError(
                f"in epoch {epoch} the loss became {row.get('loss')} and {np.isnan(answers).mean():.0%} of the "
                "answers are no numbers. Lower the learning rate, or use scaled pixels."
            )
        yield row | _scores(sides["validation"], answers, truth), gate_histogram(blocks, before_blocks(looked_at))


def _scores(rows: pd.DataFrame, answers: NDArray[np.float32], truth: NDArray[np.int64]) -> dict[str, float]:
    """Return val_loss, val_accuracy and its 95 % interval over people (low, high)."""
    table = rows[["segment_id", "clip_id", "subject", "emotion", "split"]].join(
        pd.DataFrame(answers, columns=list(PROBABILITIES))
    )
    low, high = evaluation.bootstrap_interval(table, samples=200)
    right = np.maximum(answers[np.arange(len(truth)), truth], np.finfo(np.float32).tiny).astype(float)
    return {
        "val_loss": float(-np.log(right).mean()),
        "val_accuracy": evaluation.summary(table)["accuracy"],
        "low": low,
        "high": high,
    }


def gate_histogram(blocks: Sequence[Any], inputs: Any) -> NDArray[np.float64]:
    """Return the share of the values of gates i, f and o, over all blocks, frames and places, in each of BINS."""
    inputs = inputs if isinstance(inputs, list) else [inputs]
    counts = np.zeros(len(BINS) - 1)
    for block, x in zip(blocks, inputs, strict=True):
        for step in block.steps(x):
            for gate in "ifo":
                counts += np.histogram(np.asarray(step[gate]), BINS)[0]
    return counts / counts.sum()


def draw_trials(trials: Sequence[Trial], *, caption: str = "") -> Figure:
    """Draw loss, accuracy and the share of saturated gates of some runs by epoch, and the last run's gate values."""
    figure = Figure(figsize=(7.0, 5.6), layout="constrained")  # unknown to pyplot: no cell that runs meanwhile shows it
    (losses, accuracies), (saturated, values) = figure.subplots(2, 2)
    for trial, colour in zip(trials, PALETTE, strict=False):
        history = trial.history.reindex(columns=["loss", "accuracy", "val_loss", "val_accuracy", "saturated"])
        look: dict[str, Any] = {"color": colour, "marker": "o", "ms": 3}
        for panel, name in ((losses, "loss"), (accuracies, "accuracy")):
            panel.plot(history.index, history[name], "--", **look | {"marker": ""})
            panel.plot(history.index, history[f"val_{name}"], **look)
        saturated.plot(history.index, history["saturated"], label=trial.label, **look)
    losses.axhline(np.log(len(EMOTIONS)), color=MUTED, linewidth=0.9, linestyle=":")
    accuracies.axhline(CHANCE, color=MUTED, linewidth=0.9, linestyle=":")
    cut = losses.get_ylim()[1] > _HIGHEST_LOSS
    if cut:
        losses.set_ylim(top=_HIGHEST_LOSS)
    accuracies.set_ylim(0, 1)
    saturated.set_ylim(0, 1.03)
    for panel in (accuracies, saturated):
        write_percent(panel.yaxis)
    titles = {
        losses: f"Loss (dotted: ln 7{f'; cut at {_HIGHEST_LOSS:g}' if cut else ''})",
        accuracies: "Accuracy (dotted: chance)",
        saturated: "Gates below 0.05 or above 0.95",
        values: f"Gate values in run {trials[-1].number}",
    }
    shares = np.array(trials[-1].gates)
    edges = np.arange(len(shares) + 1) - 0.5
    mesh = values.pcolormesh(edges, BINS, shares.T, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(mesh, ax=values, label="share of the values").ax.yaxis.set_major_formatter("{x:.1f}")
    values.set_ylabel("gate value")
    for panel, title in titles.items():
        panel.set_title(title, loc="left", fontsize=9)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_xlabel("epoch")
    figure.legend(loc="outside lower left", ncols=3, fontsize=8)
    write_head(figure, "Training (dashed) and validation (solid)", caption)
    return figure


def table_of(trials: Sequence[Trial], *, n: int) -> Html:
    """Return the runs' settings and where they stand, with the colours of the curves."""
    lines = []
    for trial, colour in zip(trials, PALETTE, strict=False):
        last = trial.history.iloc[-1]
        losses = trial.history["val_loss"].to_numpy()
        cells = [
            html.escape(trial.label),
            f"{len(losses) - 1}",
            f"{losses.min():.2f} ({losses.argmin()})",
            f"{last['val_accuracy']:.1%} ({last['low']:.0%} to {last['high']:.0%})",
            f"{last['saturated']:.0%}",
        ]
        mark = f'<span style="color:{colour}" aria-hidden="true">&#9632;</span> '
        lines.append(f"<tr><td>{mark}{'</td><td>'.join(cells)}</td></tr>")
    heads = ("run", "epochs", "least loss (epoch)", f"accuracy, n = {n} (95 %)", "gates saturated")
    head = "".join(f'<th scope="col">{words}</th>' for words in heads)
    caption = f"Validation, where each run stands now; chance is {CHANCE:.1%}"
    return Html(
        '<table style="border-spacing:0.9em 0;text-align:left">'
        f'<caption style="text-align:left">{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )


class Dashboard:
    """The runs so far, and what the buttons do. Trains in a thread, so that the kernel answers meanwhile.

    The parameters are those of `training_dashboard`.
    """

    def __init__(
        self, experiment: Experiment, store: CropStore, *, data: str, first_epochs: int, epochs: int, most: int
    ) -> None:
        self.experiment, self.store = dataclasses.replace(experiment, epochs=epochs, runs=1), store
        self.sides = pick_segments(experiment, store, most=most)
        held_out = self.sides["validation"]
        self.caption = caption_data(
            data=data,
            split=experiment.split,
            n=len(held_out),
            unit="validation segments",
            clips=held_out["clip_id"].nunique(),
            subjects=held_out["split_group"].nunique(),
        )
        self.weights = fresh_weights(experiment)
        self.trials: list[Trial] = []
        self.started = 0
        self.task: asyncio.Task[None] | None = None
        self._stop = threading.Event()
        for pixels in tqdm(("scaled", "raw"), desc="two short runs", unit="run"):
            trial = self._begin(dataclasses.replace(self.experiment, pixels=pixels, epochs=first_epochs))
            for row, gates in train_epochs(trial.experiment, store, self.sides, self.weights):
                trial.add(row, gates)
        self.state = f"Two runs of {first_epochs} epochs, to begin with."
        rates = sorted({*RATES, experiment.learning_rate})
        self.settings = {
            "pixels": choice("Pixels", ["scaled", "raw"]),
            "learning_rate": choice("Learning rate", [(f"{r:g}", r) for r in rates], value=experiment.learning_rate),
            "optimizer": choice("Optimizer", ["adam", "sgd"], value=experiment.optimizer),
        }
        self.buttons = {
            "start": button("Start", self.start, tooltip=f"train {epochs} epochs with these settings"),
            "stop": button("Stop", self.stop, tooltip="end the run that is training"),
            "clear": button("Clear", self.clear, tooltip="remove all runs but the last"),
        }
        self.live = Live(self.draw, {}, title="Train and compare", arrange=self._arrange)
        self._show_buttons()

    def draw(self) -> dict[str, Any]:
        """Return what is to be seen."""
        last = self.trials[-1].history.iloc[-1]
        alt = f"Curves of {len(self.trials)} runs by epoch; run {self.trials[-1].label} has validation loss"
        epoch = len(self.trials[-1].rows) - 1
        alt = f"{alt} {last['val_loss']:.2f} after epoch {epoch} and {last['saturated']:.0%} saturated gates"
        return {
            "state": Html(f'<div role="status">{html.escape(self.state)}</div>'),
            "charts": Seen(draw_trials(self.trials, caption=self.caption), alt),
            "runs": table_of(self.trials, n=len(self.sides["validation"])),
        }

    def start(self) -> None:
        """Begin to train with the chosen settings; returns at once."""
        self._stop.clear()
        chosen = {name: control.value for name, control in self.settings.items()}
        self.task = asyncio.get_running_loop().create_task(self.train(dataclasses.replace(self.experiment, **chosen)))

    def stop(self) -> None:
        """End the training after the batch that it is in."""
        self._stop.set()

    def clear(self) -> None:
        """Remove all runs but the last."""
        del self.trials[:-1]
        self.live.refresh()

    async def train(self, experiment: Experiment) -> None:
        """Train, and show each epoch as it ends; an error is shown in place."""
        trial = Trial(self.started + 1, experiment)
        self._say(f"Run {trial.label}: building the network ...", training=True)
        epochs = train_epochs(experiment, self.store, self.sides, self.weights, stopped=self._stop.is_set)
        try:
            while (found := await asyncio.to_thread(next, epochs, None)) is not None:
                if not trial.rows:
                    self._begin(experiment, trial)
                trial.add(*found)
                self.state = f"Run {trial.label}: epoch {len(trial.rows) - 1} of {experiment.epochs}"
                self.live.refresh()
        except Exception as error:  # noqa: BLE001 - shown in place, with its traceback
            self._say(f"Run {trial.label} failed after epoch {len(trial.rows) - 1}.")
            self.live.problem.value = problem_html(error)
        else:
            ended = "stopped" if self._stop.is_set() else "done"
            self._say(f"Run {trial.label}: {ended} after epoch {len(trial.rows) - 1}.")

    def _begin(self, experiment: Experiment, trial: Trial | None = None) -> Trial:
        """Add a run, and drop the oldest where there are more than colours."""
        self.started += 1
        self.trials = [*self.trials, trial or Trial(self.started, experiment)][-len(PALETTE) :]
        return self.trials[-1]

    def _say(self, words: str, *, training: bool = False) -> None:
        self.state = words
        self._show_buttons(training=training)
        self.live.refresh()

    def _show_buttons(self, *, training: bool = False) -> None:
        self.buttons["start"].disabled = self.buttons["clear"].disabled = training
        self.buttons["stop"].disabled = not training

    def _arrange(self, controls: Mapping[str, Any], views: Mapping[str, Any]) -> Any:
        row = ipywidgets.HBox(list(self.buttons.values()), layout=ipywidgets.Layout(flex_flow="row wrap"))
        return side_by_side(
            {**self.settings, "buttons": row, "state": views["state"]},
            {name: view for name, view in views.items() if name != "state"},
        )


def training_dashboard(
    experiment: Experiment,
    store: CropStore,
    *,
    data: str,
    first_epochs: int = 3,
    epochs: int = 20,
    most: int = 256,
) -> Live:
    """Train small networks by a button, and compare them: rate, optimizer, raw or scaled pixels, saturated gates.

    Two short runs are made at once, with scaled and with raw pixels, so that there is something to see anywhere.

    Parameters
    ----------
    experiment
        A compact network and its settings; the menus start with these.
    store
        Its crops.
    data
        What to call the data in a caption.
    first_epochs, epochs
        Epochs of the two runs at the beginning, and of a run that is started.
    most
        Segments of the training people, and of the validation people, at most.
    """
    return Dashboard(experiment, store, data=data, first_epochs=first_epochs, epochs=epochs, most=most).live
