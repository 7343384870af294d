"""The compiled network says what Keras says."""

from pathlib import Path

import numpy as np
import pytest

from microx_utils.apply.answers import load_weights
from microx_utils.apply.compiled import Halves, compiled, plain
from microx_utils.components import component_available, crop_components
from microx_utils.robust.inputs import Faces, clip_faces, frame_inputs, spread
from microx_utils.robust.network import build
from microx_utils.trackers.mesh import MeshTracker


@pytest.fixture(scope="module")
def faces(smile: np.ndarray) -> Faces:
    tracker, rows = MeshTracker(), []
    for frame in smile:
        face = tracker(frame)
        available = component_available(face.points, frame.shape, success=face.success)
        rows.append((crop_components(frame, face.points), face.points, available))
    return clip_faces(*(np.array(values) for values in zip(*rows, strict=True)))


def say(halves: Halves, faces: Faces) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return what is said of every frame, and of every segment of ten."""
    looked = []
    for row in range(len(faces.points)):
        inputs = {name: values[:, 0] for name, values in frame_inputs(faces, np.array([[row]])).items()}
        looked.append(halves.frame(inputs))
    frames = {name: np.concatenate([each[name] for each in looked]) for name in looked[0]}
    spans = spread(range(0, len(faces.points) - 9, 10), [10] * (len(faces.points) // 10), 5)
    return frames, np.concatenate([halves.span({"faces": frames["face"][None, rows]})["emotion"] for rows in spans])


@pytest.mark.parametrize(("kind", "near"), [("float", 1e-5), ("int8", 0.05)])
def test_the_shipped_network_agrees_with_keras_on_real_segments(kind, near, faces, tmp_path, capfd):
    shipped = load_weights()
    capfd.readouterr()
    quick = compiled(shipped, kind=kind, cache=tmp_path)
    assert quick.kind == kind
    (frames, segments), (expected, wanted) = say(quick, faces), say(plain(shipped), faces)
    said = capfd.readouterr()
    assert said.out + said.err == "", "a notebook would show this"
    assert (
        frames.keys()
        == expected.keys()
        == {"face", "available", "weights"} | ({"units"} if shipped.design.units else set())
    )
    assert np.ptp(wanted, axis=0).max() > 0.001, "the segments don't differ, so the comparison says nothing"
    differences = {name: float(np.abs(frames[name] - expected[name]).max()) for name in frames}
    differences["emotion"] = float(np.abs(segments - wanted).max())
    for name, difference in differences.items():
        assert difference <= near, name
    if kind == "int8":
        assert differences["face"] > 0, "nothing was rounded to 8 bits"
    assert (segments.argmax(axis=1) == wanted.argmax(axis=1)).all()


def test_files_are_made_once_for_the_same_weights(network, tmp_path):
    compiled(network, cache=tmp_path)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    made = (folder / "frame.tflite").stat().st_mtime_ns
    compiled(network, cache=tmp_path)
    assert (folder / "frame.tflite").stat().st_mtime_ns == made
    other = build(network.design)
    other.span.set_weights([values + 1 for values in network.span.get_weights()])
    compiled(other, cache=tmp_path)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


def test_where_it_cannot_be_compiled_keras_runs_it_and_one_line_says_so(network, tmp_path, monkeypatch):
    def broken(*given, **named):
        raise RuntimeError("no such exporter\nand a long trace")

    monkeypatch.setattr(type(network.frame), "export", broken)
    with pytest.warns(UserWarning, match=r"could not be compiled.*no such exporter$") as warned:
        halves = compiled(network, cache=tmp_path)
    assert len(warned) == 1
    assert halves.kind == "keras"
    assert not [path for path in tmp_path.iterdir() if path.is_dir()], "something half-written was left behind"


def test_a_damaged_file_is_made_again(network, tmp_path: Path, recwarn):
    compiled(network, cache=tmp_path)
    (file,) = tmp_path.rglob("span.tflite")
    file.write_bytes(file.read_bytes()[:100])
    assert compiled(network, cache=tmp_path).kind == "float"
    assert any("damaged" in str(warning.message) for warning in recwarn)
