"""What the model says of a video, as a table and as files."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from microx_utils.apply.answers import SEEN, VideoAnswer, answer_video, predict_video, save_answer
from microx_utils.apply.drawing import describe, draw_timeline, save_timeline, write_drawn_video
from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.robust.network import Network
from microx_utils.support.errors import DataError
from microx_utils.video import read_frames, write_video


@pytest.fixture(scope="module")
def answer(film: Path, network: Network) -> VideoAnswer:
    return answer_video(film, network=network)


def test_every_segment_and_every_person_has_a_row(answer: VideoAnswer) -> None:
    table = answer.table
    assert answer.frames == 60 and table["face"].unique().tolist() == [1, 2]
    np.testing.assert_allclose(table[list(PROBABILITIES)].sum(axis=1), 1, atol=1e-3)
    assert (table["emotion"] == np.array(EMOTIONS)[table[list(PROBABILITIES)].to_numpy().argmax(axis=1)]).all()
    assert ((table[list(SEEN)] >= 0) & (table[list(SEEN)] <= 1)).all(axis=None)
    for track in answer.tracks:
        rows = table[table["face"] == track.number]
        clip = rows[rows["unit"] == "clip"]
        assert len(clip) == 1 and clip["first"].item() == track.first and clip["frames"].item() == len(track.found)
        segments = rows[rows["unit"] == "segment"]
        assert len(segments) == len(track.found) // 10 and (segments["frames"] == 10).all()
        np.testing.assert_allclose(segments["start"], (track.first + 10 * np.arange(len(segments))) / 30, atol=1e-4)


def test_table_and_json_say_the_same(answer: VideoAnswer, tmp_path: Path) -> None:
    table, file = save_answer(answer, tmp_path / "film", {"limits": "few"})
    pd.testing.assert_frame_equal(pd.read_csv(table), answer.table)
    said = json.loads(file.read_text(encoding="utf-8"))
    assert said["model"] == {"limits": "few"} and said["seconds"] == 2
    for person in said["people"]:
        rows = answer.table[answer.table["face"] == person["face"]].to_dict("records")
        assert [*person["segments"], person["clip"]] == rows


def test_a_part_of_a_video_is_answered_alone(film: Path, network: Network) -> None:
    table = predict_video(f"{film}#t=1,2", network=network)
    assert table["end"].max() <= 1 and table["face"].nunique() == 2


def test_bad_videos_are_refused(tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch, film: Path) -> None:
    write_video(tmp_path / "empty.mp4", np.full((30, 64, 64, 3), 120, np.uint8))
    with pytest.raises(DataError, match=r"empty\.mp4.*shows no face"):
        predict_video(tmp_path / "empty.mp4", network=network)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(DataError, match=r"text\.mp4"):
        predict_video(tmp_path / "text.mp4", network=network)
    monkeypatch.setattr("microx_utils.apply.answers.LONGEST", 1.0)
    with pytest.raises(DataError, match=r"is 2 s long, at most 1 s fit.*#t=0,1"):
        predict_video(film, network=network)


def test_the_timeline_shows_and_says_what_the_table_does(answer: VideoAnswer, tmp_path: Path) -> None:
    figure = draw_timeline(answer)
    words = describe(answer)
    for row in answer.table[answer.table["unit"] == "clip"].itertuples():
        assert f"face {row.face}: {row.emotion}" in words
    chances = [ax for ax in figure.axes if ax.get_ylabel() == "probability"]
    assert len(chances) == 2 and all(ax.get_xlim() == (0, 2) for ax in chances)
    assert sorted(chances[0].get_legend_handles_labels()[1]) == sorted(EMOTIONS)
    plt.close(figure)
    assert save_timeline(answer, tmp_path / "film").stat().st_size > 10_000


def test_the_drawn_video_has_every_frame_and_boxes_on_both(answer: VideoAnswer, film: Path, tmp_path: Path) -> None:
    write_drawn_video(answer, tmp_path / "drawn.mp4")
    plain, drawn = read_frames(film)[0], read_frames(tmp_path / "drawn.mp4")[0]
    assert len(drawn) == 60 and drawn.shape[2] > 512
    assert 256 < drawn.shape[1] < 400, "beside two faces there is more to write than the film is high"
    changed = np.abs(drawn[:, :256, :512].astype(int) - plain).max(axis=-1) > 60
    assert changed[5, :, :256].sum() > 500 and changed[5, :, 256:].sum() < 50, "only one person is there yet"
    assert changed[40, :, 256:].sum() > 500


def test_nothing_is_answered_where_no_face_is(smile: np.ndarray, tmp_path: Path, network: Network) -> None:
    write_video(tmp_path / "gap.mp4", np.concatenate([smile[:20], np.full_like(smile[:25], 120), smile[:20]]))
    answer = answer_video(tmp_path / "gap.mp4", network=network)
    segments = answer.table[answer.table["unit"] == "segment"]
    assert (segments["emotion"] == "").tolist() == [False, False, True, True, False, False]
    assert segments[list(PROBABILITIES)].isna().all(axis=1).tolist() == (segments["emotion"] == "").tolist()
    assert save_timeline(answer, tmp_path / "gap").is_file()
    write_drawn_video(answer, tmp_path / "drawn.mp4")
    assert '"emotion": ""' in save_answer(answer, tmp_path / "gap", {})[1].read_text(encoding="utf-8")
