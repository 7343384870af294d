"""Charts show the numbers they were given, keep their text readable, and leave nothing behind."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figure_checks import check_text, drawn, styled, texts
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle

from microx_utils import evaluation, segments
from microx_utils.components import COMPONENTS
from microx_utils.course import paper
from microx_utils.evaluation import PROBABILITIES
from microx_utils.labels import EMOTIONS
from microx_utils.plots import charts, data, results, style
from microx_utils.trackers.quality import LIMITS

CAPTION = style.caption_data(data="rendered sample", split="subject", n=392, clips=98, subjects=14)


@pytest.fixture(autouse=True)
def _styled():
    with styled():
        yield


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    true = rng.integers(0, 7, 392)
    values = rng.dirichlet(np.full(7, 0.6), 392)
    values[np.arange(392), true] += 0.4
    table = pd.DataFrame(values / values.sum(axis=1, keepdims=True), columns=list(PROBABILITIES))
    return table.assign(
        segment_id=[f"g{i}" for i in range(392)],
        clip_id=[f"c{i // 4}" for i in range(392)],
        subject=[f"s{i // 28:03d}" for i in range(392)],
        emotion=[EMOTIONS[i] for i in true],
        split="test",
    )


@pytest.fixture
def history() -> pd.DataFrame:
    epoch = np.arange(1, 108)
    rise = 1 - np.exp(-epoch / 25)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "accuracy": 0.2 + 0.75 * rise,
            "val_accuracy": 0.18 + 0.42 * rise,
            "loss": 2 - 1.7 * rise,
            "val_loss": 2 - 0.8 * rise,
        }
    )


def test_segment_counts_label_every_bar_and_both_data_sets():
    ours = dict(zip(EMOTIONS, range(40, 110, 10), strict=True))
    theirs = paper.figure(3)["read_off"]["counts"]
    figure = drawn(data.draw_segment_counts(ours, paper=theirs, caption=CAPTION))
    check_text(figure)
    shown = texts(figure)
    assert {str(n) for n in (*ours.values(), *theirs.values())} <= set(shown)
    assert any("read off" in text for text in shown)
    assert any(text == "rendered sample (490)" for text in shown)


@pytest.mark.parametrize("measure", ["accuracy", "loss"])
def test_learning_curve_marks_runs_the_kept_epoch_and_the_stop(history, measure):
    ax = results.draw_learning_curve(history, measure, best=88, stopped=True, borders=(30, 60, 90), caption=CAPTION)
    figure = drawn(ax)
    check_text(figure)
    assert {"run 1", "run 2", "run 3", "run 4", "kept: epoch 88", "stopped: epoch 107"} <= set(texts(figure))
    by_name = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(by_name["training"].get_ydata(), history[measure])
    np.testing.assert_array_equal(by_name["validation"].get_ydata(), history[f"val_{measure}"])
    np.testing.assert_array_equal(by_name["kept: epoch 88"].get_ydata(), history[f"val_{measure}"][[87]])


def test_learning_curve_of_a_single_epoch(history):
    check_text(drawn(results.draw_learning_curve(history.iloc[:1], best=1)))


def test_learning_curve_refuses_other_measures(history):
    with pytest.raises(ValueError, match="unknown measure 'f1'; choose from"):
        results.draw_learning_curve(history, "f1")
    assert not plt.get_fignums()


def test_class_metrics(predictions):
    classes = evaluation.per_class(predictions)
    figure = results.draw_class_metrics(
        classes,
        intervals=evaluation.class_intervals(predictions, samples=100),
        paper=paper.figure(9)["read_off"],
        caption=CAPTION,
    )
    check_text(drawn(figure))
    for panel, metric in zip(figure.axes, ("precision", "recall", "fscore"), strict=True):
        ours = next(line for line in panel.lines if str(line.get_label()).startswith("ours"))
        np.testing.assert_array_equal(ours.get_xdata(), classes[metric])
    assert f"neutral  ({classes['support']['neutral']})" in texts(figure)


@pytest.mark.parametrize(("normalize", "form"), [("all", "{:.2f}"), ("true", "{:.0f}")])
def test_confusion_writes_its_numbers(predictions, normalize, form):
    counts = evaluation.confusion(predictions).to_numpy()
    total = counts.sum() if normalize == "all" else counts.sum(axis=1, keepdims=True)
    ax = results.draw_confusion(evaluation.confusion(predictions), normalize=normalize, caption=CAPTION)
    check_text(drawn(ax))
    written = [text.get_text() for text in ax.texts[:49]]
    assert written == [form.format(value) for value in (100 * counts / total).ravel()]


def test_confusion_of_the_paper_beside_ours_keeps_its_labels_apart(predictions):
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.8))
    results.draw_confusion(evaluation.confusion(predictions), title="Ours", ax=left)
    results.draw_confusion(paper.confusion_percent(), normalize=None, title="Paper", ax=right)
    check_text(drawn(figure))
    assert right.texts[0].get_text() == "11.3"


def test_confusions_stand_side_by_side_with_one_label_of_the_rows(predictions):
    one = evaluation.confusion(predictions)
    figure = drawn(results.draw_confusions({"ours": one, "theirs": one.T}, normalize="true", caption=CAPTION))
    left, right = figure.axes
    assert [ax.get_title("left").strip() for ax in (left, right)] == ["ours", "theirs"]
    assert (bool(left.get_ylabel()), bool(right.get_ylabel())) == (True, False)
    shares = 100 * one.T.to_numpy() / one.to_numpy().sum(axis=0)[:, None]
    assert [t.get_text() for t in right.texts] == [f"{share:.0f}" for share in shares.ravel()]


def test_confusion_without_segments_of_a_class_writes_no_recall():
    counts = np.eye(7)
    counts[2] = 0
    ax = results.draw_confusion(counts, normalize="true")
    assert [text.get_position()[1] for text in ax.texts] == [row + 0.5 for row in (0, 1, 3, 4, 5, 6) for _ in EMOTIONS]


@pytest.mark.parametrize(
    ("counts", "normalize", "message"),
    [(np.eye(7), "row", "unknown normalize 'row'"), (np.eye(6), "all", r"shape \(6, 6\); wanted \(7, 7\)")],
)
def test_confusion_refuses(counts, normalize, message):
    with pytest.raises(ValueError, match=message):
        results.draw_confusion(counts, normalize=normalize)
    assert not plt.get_fignums()


@pytest.mark.parametrize("emotions", [("neutral", "anger"), ("sad",), EMOTIONS[:3]])
def test_one_vs_rest_shows_counts_of_both(predictions, emotions):
    ours, theirs = evaluation.one_vs_rest(predictions), paper.one_vs_rest()
    figure = results.draw_one_vs_rest(ours, emotions=emotions, paper=theirs, caption=CAPTION)
    check_text(drawn(figure))
    assert len(figure.axes) == 2 * len(emotions)
    heading = "One emotion against the rest" + ("" if emotions == EMOTIONS else f": {' and '.join(emotions)}")
    assert figure.get_suptitle().strip() == heading
    cells = [int("".join(filter(str.isdigit, t.get_text().split()[0]))) for ax in figure.axes for t in ax.texts]
    assert cells == [int(n) for e in emotions for table in (ours[e], theirs[e]) for n in np.ravel(table)]


def test_reliability_and_subjects_and_their_summaries(predictions):
    ax = results.draw_reliability(evaluation.calibration(predictions), caption=CAPTION)
    figure = drawn(ax)
    check_text(figure)
    assert f"calibration error (ECE) {100 * evaluation.calibration_error(predictions):.1f} %" in texts(figure)
    plt.close(figure)

    subjects = evaluation.per_subject(predictions)
    ax = results.draw_subject_accuracy(subjects, interval=(0.4, 0.6), caption=CAPTION)
    figure = drawn(ax)
    check_text(figure)
    assert f"all segments: {100 * evaluation.summary(predictions)['accuracy']:.1f} %" in texts(figure)
    heights = np.asarray(ax.collections[-1].get_offsets())[:, 1]
    np.testing.assert_array_equal(heights, np.sort(subjects["accuracy"]))


def bars(ax: Axes) -> list[Rectangle]:
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def test_clip_lengths():
    ax = data.draw_clip_lengths([9, 10, 19, 20, 35], caption=CAPTION)
    check_text(drawn(ax))
    assert [bar.get_height() for bar in bars(ax)] == [1, 2, 1, 1]
    assert "70 of 93 frames (75 %) fill whole segments" in ax.get_xlabel()


def test_split_leakage_counts_everyone_not_only_those_drawn():
    rows = [
        (f"s{s}", f"s{s}_{c}", EMOTIONS[c % 7], "BAUM-2", f"s{s}", first)
        for s in range(12)
        for c in range(7)
        for first in (0, 10, 20)
    ]
    table = pd.DataFrame(rows, columns=["subject", "clip_id", "emotion", "corpus", "split_group", "first"])
    table["segment_id"] = [str(i) for i in range(len(table))]
    splits = {rule: segments.split_segments(table, by=rule) for rule in ("segment", "clip", "subject")}
    figure = data.draw_split_leakage(table, splits, subjects=3, clips=4, caption=CAPTION)
    check_text(drawn(figure))
    seen = [ax.get_xlabel().splitlines() for ax in figure.axes]
    tested = table.loc[splits["subject"] == "test", "subject"].nunique()
    assert seen[2][1:] == [f"0 of {tested} test subjects", f"0 of {7 * tested} test clips"]
    assert seen[1][2].startswith("0 of ")
    assert not seen[0][2].startswith("0 of ")
    assert len(figure.axes[0].get_yticks()) == 3


def test_an_axes_given_is_drawn_into_and_returned():
    _, ax = plt.subplots()
    assert data.draw_clip_lengths([10, 20], ax=ax) is ax
    assert len(plt.get_fignums()) == 1


def test_a_long_caption_is_wrapped_into_the_page():
    _, ax = plt.subplots(figsize=(3.5, 2))
    style.write_head(ax, "Title", f"{CAPTION}; {CAPTION}")
    figure = drawn(ax)
    check_text(figure)
    assert f"{CAPTION}; {CAPTION}" in [" ".join(text.split()) for text in texts(figure)]


def test_caption_leaves_out_what_is_not_known():
    assert style.caption_data(data="own recordings", n=1200, unit="frames", chance=None) == (
        "own recordings, n = 1,200 frames"
    )


SIGHT = {  # Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB
    "normal": np.eye(3),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour: str, sight: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of a colour as someone with that sight sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(sight @ linear, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("palette", ["EMOTION_COLOURS", "COMPONENT_COLOURS", "SPLIT_COLOURS", "PALETTE"])
def test_palettes_can_be_told_apart(palette, sight):
    """A CIE 1976 distance of 2.3 is just noticeable; lines and boxes side by side need several times that."""
    colours = {name: name for name in charts.PALETTE} if palette == "PALETTE" else getattr(style, palette)
    for (a, x), (b, y) in itertools.combinations(colours.items(), 2):
        distance = np.linalg.norm(lab(x, SIGHT[sight]) - lab(y, SIGHT[sight]))
        assert distance > 15, f"{a} and {b} look alike to {sight} sight: {distance:.1f}"


def test_palettes_name_every_class_and_component():
    assert tuple(style.EMOTION_COLOURS) == EMOTIONS
    assert tuple(style.COMPONENT_COLOURS) == COMPONENTS


@pytest.mark.parametrize("level", np.linspace(0, 1, 9))
def test_text_on_a_heat_map_has_contrast(level):
    """WCAG asks for 4.5:1 for body text, 3:1 for large; between white and ink 3.9:1 can be kept everywhere."""

    def luminance(colour) -> float:
        rgb = np.array(to_rgb(colour))
        return float(TO_XYZ[1] @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4))

    background = plt.get_cmap("Blues")(level)
    low, high = sorted([luminance(background[:3]), luminance(style.ink_on(background))])
    assert (high + 0.05) / (low + 0.05) > 3.9


def test_clip_quality_flags_what_is_below_the_limits():
    quality = pd.DataFrame(
        {
            "found": [1.0, 0.5, 1.0, np.nan],
            "confidence": [0.99, 0.98, 0.4, np.nan],
            "jitter": [0.2, 0.3, 5.0, np.nan],
            "stored_fps": [30.0, 25.0, 30.0, np.nan],
            "seconds": [2.0, 1.0, 3.0, np.nan],
            "eye_distance": [40.0, 41.0, 39.0, np.nan],
        }
    )
    figure = drawn(data.draw_clip_quality(quality, limits=LIMITS, caption=CAPTION))
    said = [ax.get_title(loc="right") for ax in figure.axes]
    assert said == ["1 of 3 flagged"] * 3 + [""] * 3
    for ax, flagged in zip(figure.axes, (1, 1, 1, 0, 0, 0), strict=True):
        bars = [bar for bar in ax.patches if isinstance(bar, Rectangle)]
        red = [bar for bar in bars if to_hex(bar.get_facecolor()) == data.FLAGGED_COLOUR]
        assert sum(bar.get_height() for bar in red) == flagged
        assert sum(bar.get_height() for bar in bars) == 3


def test_clip_quality_of_unreadable_clips_draws_empty_panels():
    nothing = pd.DataFrame({name: [np.nan] for name in ("found", "confidence", "jitter", "stored_fps", "seconds")})
    figure = drawn(data.draw_clip_quality(nothing.assign(eye_distance=np.nan), limits=LIMITS, caption=CAPTION))
    assert all(ax.texts[0].get_text() == "nothing to measure" for ax in figure.axes)


def test_accuracy_cost_marks_the_chosen_and_what_was_not_trained():
    names = ["profile", "pool_3", "profile", "pool_3", "published design", "landmarks"]
    table = pd.DataFrame({"name": names, "kind": ["variant"] * 5 + ["system"], "n": [565, 565, 411, 411, np.nan, 411]})
    table = table.assign(
        people=["first fold", "first fold", "test", "test", "none", "test"], chosen=table["name"] == "pool_3"
    )
    table = table.assign(ms_per_clip=[24, 22, 24, 22, 1400, 1.5], accuracy=[0.4, 0.5, 0.41, 0.45, np.nan, 0.6])
    table = table.assign(low=table["accuracy"] - 0.1, high=table["accuracy"] + 0.1)
    figure = drawn(results.draw_accuracy_cost(table, caption=CAPTION))
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert set(named) == {"the class profile's", "chosen: pool_3", "68 landmarks"}
    for ax, points in zip(figure.axes, ({(24, 0.4), (22, 0.5)}, {(24, 0.41), (22, 0.45), (1.5, 0.6)}), strict=True):
        marks = [line for line in ax.lines if line.get_linestyle() == "None"]
        assert {(x, y) for line in marks for x, y in np.asarray(line.get_xydata()).tolist()} == points
        assert any(text.get_text() == "published design: not trained" for text in ax.texts)
