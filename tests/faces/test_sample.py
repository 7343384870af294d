"""The shipped sample: its plan, its files, its ground truth, and how it is made."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microx_utils.corpora import load_clips
from microx_utils.course.records import truth_folder
from microx_utils.faces.person import load_person
from microx_utils.faces.sample import SAMPLE_SIZE, load_truth, make_sample, open_stage, people_facts
from microx_utils.faces.sample_plan import plan_population, plan_sample
from microx_utils.faces.truth import ANGLE_STEP, LANDMARK_STEP, UNIT_STEP, GroundTruth, pack_truth, unpack_truth
from microx_utils.labels import EMOTIONS, emotion_of
from microx_utils.support.errors import DataError
from microx_utils.support.paths import DATA, SAMPLE
from microx_utils.video import probe_video, read_frames

PLAN = plan_sample()


def test_nobody_is_in_two_groups_and_all_seeds_are_ours() -> None:
    groups: dict[str, set[int]] = {}
    for clip in PLAN:
        groups.setdefault(clip.corpus.rstrip("as"), set()).add(clip.person)
        assert 0 <= clip.person < 200 and 0 <= clip.seed < 200
    people = [person for group in groups.values() for person in group]
    assert len(people) == len(set(people)) == 78
    assert {name: len(group) for name, group in groups.items()} == {"BAUM-1": 22, "BAUM-2": 48, "own": 8}


def test_classes_are_as_unequal_as_the_paper_s() -> None:
    counts = Counter(emotion_of(clip.label) for clip in PLAN if clip.label and clip.corpus != "own")
    paper = {"neutral": 555, "anger": 600, "contempt": 355, "surprise": 482, "fear": 412, "happy": 708, "sad": 548}
    assert 430 <= sum(counts[emotion] for emotion in EMOTIONS) <= 480
    for emotion, count in paper.items():
        assert counts[emotion] / count == pytest.approx(455 / sum(paper.values()), rel=0.03)


def test_plan_has_the_real_things_quirks() -> None:
    assert len({clip.path for clip in PLAN}) == len(PLAN)
    names = [clip.name for clip in PLAN if clip.corpus.startswith("BAUM-1")]
    assert len(set(names)) == len(names)  # numbers go on from the acted to the spontaneous clips
    assert sum(clip.label is None for clip in PLAN) == 1
    words = {clip.label for clip in PLAN if clip.corpus == "BAUM-1s"}
    assert {"Boredom", "Thinking", "Unsure", "Contempt", "Disgust"} <= words
    lengths = [clip.frames for clip in PLAN]
    assert min(lengths) >= 20 and max(lengths) <= 120 and 45 < np.mean(lengths) < 55
    assert 0.02 < np.mean([clip.fps == 25 for clip in PLAN]) < 0.08
    own = [clip for clip in PLAN if clip.corpus == "own"]
    assert len(own) == 8 * 7 * 2
    for plain, masked in zip(own[::2], own[1::2], strict=True):
        assert replace(plain, mask=True, path=masked.path) == masked


def test_datasheet_counts_are_the_plan_s() -> None:
    sheet = (DATA / "README.md").read_text(encoding="utf-8").splitlines()
    for corpus in ("BAUM-1a", "BAUM-1s", "BAUM-2", "own"):
        clips = [clip for clip in PLAN if clip.corpus == corpus]
        classes = Counter(emotion_of(clip.label) if clip.label else None for clip in clips)
        row = [classes[emotion] for emotion in (*EMOTIONS, None)]
        row += [len(clips), len({clip.person for clip in clips}), sum(clip.frames for clip in clips)]
        assert f"| {corpus} | " + " | ".join(map(str, row)) + " |" in sheet


def test_every_planned_clip_is_shipped_whole() -> None:
    for clip in PLAN[::10]:
        info = probe_video(SAMPLE / clip.path)
        assert (info.width, info.height, info.frames) == (*SAMPLE_SIZE, clip.frames)
        assert info.fps == pytest.approx(clip.fps)
    on_disk = {str(path.relative_to(SAMPLE)) for path in SAMPLE.rglob("*.mp4")}
    assert {clip.path for clip in PLAN} == on_disk
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 40e6


@pytest.mark.parametrize("corpus", ["BAUM-1s", "BAUM-2", "own"])
def test_shipped_clip_renders_again_as_it_is(corpus: str) -> None:
    """Render the first frames anew: they differ from the file by its compression and no more."""
    clip = min((clip for clip in PLAN if clip.corpus == corpus), key=lambda clip: clip.frames)
    stage = open_stage(clip)
    fresh = np.stack([stage.draw(k, mask=clip.mask) for k in range(4)]).astype(int)
    shipped = read_frames(SAMPLE / clip.path, fps=clip.fps)[0][:4]
    error = np.abs(fresh - shipped)
    assert error.mean() < 4
    assert np.percentile(error, 99.5) < 32
    truth = load_truth(clip.path)
    np.testing.assert_allclose(truth.landmarks, stage.truth().landmarks, atol=LANDMARK_STEP / 2 + 0.01)
    assert len(truth) == clip.frames


@pytest.mark.parametrize("corpus", ["BAUM-1s", "BAUM-2"])
def test_shipped_clip_shows_its_expression_at_the_apex(corpus: str) -> None:
    """The face at the apex is the plan's, and another expression of the same take doesn't pass for it."""
    clip = next(clip for clip in PLAN if clip.corpus == corpus and clip.performance == "happy")
    truth = load_truth(clip.path)
    shipped = read_frames(SAMPLE / clip.path, fps=clip.fps)[0][truth.apex].astype(int)
    left, top = truth.landmarks[truth.apex].min(0).astype(int)
    right, bottom = truth.landmarks[truth.apex].max(0).astype(int) + 1

    def error(performance: str) -> float:
        stage = open_stage(replace(clip, performance=performance))
        fresh = stage.draw(truth.apex, mask=clip.mask)  # only the sensor noise follows the order of the frames
        return float(np.abs(fresh - shipped)[top:bottom, left:right].mean())

    assert error(clip.performance) < 6  # compression and noise
    assert error("surprise") > 12


def test_truth_of_a_pair_is_one_and_labels_fit() -> None:
    for clip in PLAN[::25]:
        truth = load_truth(clip.path)
        assert truth.performance == clip.performance
        beyond = np.maximum(-truth.landmarks, truth.landmarks - np.subtract(SAMPLE_SIZE, 1))
        assert beyond[:, 17:].max() < 3  # brows to lips are in the frame; a chin may be cut off in a close-up
        assert beyond.max() < 30
        if clip.label:
            assert truth.emotion == emotion_of(clip.label)
    masked = load_truth("own/p03/happy_mask_1.mp4")
    np.testing.assert_array_equal(masked.landmarks, load_truth("own/p03/happy_plain_1.mp4").landmarks)


def test_truth_goes_with_resampled_frames() -> None:
    clip = next(clip for clip in PLAN if clip.fps == 25)
    truth = load_truth(clip.path)
    _, times = read_frames(SAMPLE / clip.path, fps=30)
    rows = truth.rows_at(times)
    assert len(times) > len(truth) and rows[0] == 0 and rows[-1] == len(truth) - 1
    assert set(np.diff(rows)) == {0, 1}
    np.testing.assert_array_equal(truth.rows_at(np.arange(len(truth)) / 25), np.arange(len(truth)))


def test_truth_is_found_by_any_path_to_the_clip(tmp_path: Path) -> None:
    clip = PLAN[0]
    whole = load_truth(SAMPLE / clip.path)
    np.testing.assert_array_equal(whole.landmarks, load_truth(str(tmp_path / clip.path)).landmarks)
    with pytest.raises(DataError, match="no clip"):
        load_truth("BAUM-1/S999_999.mp4")
    with pytest.raises(DataError, match="no ground truth here"):
        load_truth(clip.path, folder=tmp_path)


def make_truth(rng: np.random.Generator, frames: int) -> GroundTruth:
    return GroundTruth(
        landmarks=rng.uniform(-20, 1300, (frames, 68, 2)).astype(np.float32),
        action_units=rng.uniform(0, 2.5, (frames, 27)).astype(np.float32),
        pose=rng.uniform(-3, 3, (frames, 3)).astype(np.float32),
        gaze=rng.uniform(-1, 1, (frames, 2)).astype(np.float32),
        blink=rng.uniform(0, 1, frames).astype(np.float32),
        performance="happy",
        talking=True,
        onset=1,
        apex=2,
        offset=3,
        fps=25.0,
    )


def test_packed_truth_is_off_by_half_a_step_at_most(rng: np.random.Generator) -> None:
    truths = {f"clip{k}": make_truth(rng, frames) for k, frames in enumerate((1, 5, 33))}
    arrays = pack_truth(truths, {**{key: key for key in truths}, "twin": "clip1"})
    assert arrays["take"].tolist() == [0, 1, 2, 1]
    for take, truth in enumerate(truths.values()):
        back = unpack_truth(arrays, take)
        np.testing.assert_allclose(back.landmarks, truth.landmarks, atol=LANDMARK_STEP / 2 + 1e-4)
        np.testing.assert_allclose(back.action_units, truth.action_units, atol=UNIT_STEP / 2 + 1e-6)
        np.testing.assert_allclose(back.pose, truth.pose, atol=ANGLE_STEP / 2 + 1e-6)
        np.testing.assert_allclose(back.blink, truth.blink, atol=0.0026)
        assert (back.performance, back.talking, back.onset, back.fps) == ("happy", True, 1, 25.0)


@pytest.fixture
def tiny_plan() -> list:
    own = [clip for clip in PLAN if clip.corpus == "own" and clip.subject == 1][:2]
    return [replace(clip, frames=3) for clip in [PLAN[0], *own]]


def test_making_a_sample_resumes_and_writes_sheets(tmp_path: Path, tiny_plan: list) -> None:
    make_sample(tmp_path, jobs=1, plan=tiny_plan[:1])
    first = tmp_path / tiny_plan[0].path
    stamp = first.stat().st_mtime_ns
    make_sample(tmp_path, jobs=1, plan=tiny_plan)  # as if the first call had been stopped after one clip
    assert first.stat().st_mtime_ns == stamp
    for clip in tiny_plan:
        assert probe_video(tmp_path / clip.path).frames == 3
        assert load_truth(clip.path, folder=tmp_path).landmarks.shape == (3, 68, 2)
    assert not list(tmp_path.rglob(".*")), "leftovers"
    sheet = pd.read_excel(tmp_path / "BAUM-1/Annotations_BAUM1a.xlsx", sheet_name="Sheet1")
    assert sheet.columns.tolist() == ["No", "Subject", "Gender", "Clip Name", "Emotion", "Emotion Code"]
    assert sheet["Clip Name"].tolist() == [tiny_plan[0].name]
    (tmp_path / tiny_plan[1].path).unlink()  # one lost file comes back, with the rest left alone
    make_sample(tmp_path, jobs=1, plan=tiny_plan)
    assert first.stat().st_mtime_ns == stamp and (tmp_path / tiny_plan[1].path).exists()


def test_a_population_is_of_other_people_and_reads_as_baum_2(tmp_path: Path) -> None:
    plan = plan_population(3)
    assert plan == plan_population(5)[: len(plan)], "a larger one begins with the same people"
    assert not {clip.person for clip in plan} & ({clip.person for clip in PLAN} | set(range(900, 1000)))
    many = plan_population(20)
    assert len({clip.scene for clip in many}) == 3
    masked = {clip.person for clip in many if clip.mask}
    assert len(masked) == 2 and {clip.person for clip in many if clip.corpus == "own"} == masked
    assert not masked & {clip.person for clip in [*many, *PLAN] if clip.corpus != "own"}
    short = [replace(clip, frames=2) for clip in plan if clip.subject != 2]
    make_sample(tmp_path, jobs=1, plan=short)
    clips, left_out = load_clips(f"BAUM-2={tmp_path / 'BAUM-2'}")
    assert len(left_out) == 0 and clips["subject"].nunique() == 2
    assert clips.groupby("subject")["emotion"].apply(set).tolist() == [set(EMOTIONS)] * 2
    assert truth_folder(f"BAUM-2={tmp_path / 'BAUM-2'}") == tmp_path


def test_a_stopped_rendering_leaves_no_broken_file(
    tmp_path: Path, tiny_plan: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    import microx_utils.faces.sample as sample

    def interrupted(path, frames, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sample, "write_video", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make_sample(tmp_path, jobs=1, plan=tiny_plan[:1])
    assert not list(tmp_path.rglob("*.mp4"))
    make_sample(tmp_path, jobs=1, plan=tiny_plan[:1])
    assert probe_video(tmp_path / tiny_plan[0].path).frames == 3


def test_sheets_list_the_shipped_clips() -> None:
    acted = pd.read_excel(SAMPLE / "BAUM-1/Annotations_BAUM1a.xlsx", sheet_name="Sheet1")
    spontaneous = pd.read_excel(SAMPLE / "BAUM-1/Annotations_BAUM1s.xlsx", sheet_name="Sheet1")
    films = pd.read_excel(SAMPLE / "BAUM-2/Annotations.xlsx", sheet_name="Sheet1")
    assert films.columns.tolist() == ["Clip Name", "Emotion", "Emotion Code", "Audio useful?"]
    for corpus, sheet in (("BAUM-1a", acted), ("BAUM-1s", spontaneous), ("BAUM-2", films)):
        planned = {clip.name for clip in PLAN if clip.corpus == corpus}
        unlisted = {clip.name for clip in PLAN if clip.corpus == corpus and clip.label is None}
        without_clip = {"S015_099"} if corpus == "BAUM-1s" else set()
        assert set(sheet["Clip Name"]) == (planned - unlisted) | without_clip
    code = dict(zip(spontaneous["Emotion"], spontaneous["Emotion Code"], strict=True))
    assert code["Anger"] == 1 and code["Neutral"] == 9 and code["Unsure"] == 13


def test_facts_are_known_of_everybody_and_are_those_of_the_renderer() -> None:
    facts, (clips, _) = people_facts(), load_clips("sample", corpora=["BAUM-1a", "BAUM-1s", "BAUM-2", "own"])
    assert set(clips["subject"]) <= set(facts.index) and len(facts) == 78
    assert all(facts[fact].nunique() == 2 and facts[fact].value_counts().min() >= 15 for fact in facts)
    who = load_person(PLAN[0].person).identity
    assert facts.loc["BAUM-1/S001", "glasses"] == ("with" if who.glasses else "without")
