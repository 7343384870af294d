"""`microx predict`: what the shipped model says of the people in any videos."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from microx_utils.support import paths
from microx_utils.support.errors import DataError

_NEUTRAL = (
    "The first frames with a face count as the person's neutral face. If they aren't, name a part that begins with a "
    "calm face, such as film.mp4#t=3,20."
)


def predict_command(arguments: argparse.Namespace) -> int:
    """Write a table, JSON and a timeline of each video, and with --video the video with what the model looks at.

    A video that can't be read, or shows no face, is listed at the end, and the others are done.
    """
    from microx_utils.apply.answers import SHIPPED, answer_video, load_weights, read_card, save_answer
    from microx_utils.apply.drawing import save_timeline, write_drawn_video

    weights = arguments.weights or SHIPPED
    videos, left_out = find_videos(arguments.videos, arguments.folder)
    if videos:
        card = read_card(weights)
        print(f"What this is worth: {card['limits']}\n{_NEUTRAL}", flush=True)
        network = load_weights(weights)
    stems = name_results(videos, arguments.folder)
    for video, stem in tqdm(list(zip(videos, stems, strict=True)), unit="video", disable=len(videos) < 2):
        try:
            answer = answer_video(video, network=network)
            files = [*save_answer(answer, stem, card), save_timeline(answer, stem)]
            if arguments.video:
                files.append(stem.with_name(f"{stem.name}_drawn.mp4"))
                write_drawn_video(answer, files[-1])
        except DataError as error:
            left_out.append(str(error))
            continue
        clips = answer.table[answer.table["unit"] == "clip"]
        said = ", ".join(f"face {row.face} {row.emotion}" for row in clips.itertuples())
        written = ", ".join(file.name.removeprefix(stem.name) for file in files)
        tqdm.write(f"{video}: {said} -> {paths.short(stem)}{{{written}}}")
    if left_out:
        print(f"{len(left_out)} left out:", *left_out, sep="\n  ", file=sys.stderr)
    return int(bool(left_out))


def _is_of_another(stem: Path, video: str) -> bool:
    """Tell whether there are results of this name of another video."""
    file = stem.with_name(f"{stem.name}.json")
    return file.is_file() and json.loads(file.read_text(encoding="utf-8")).get("video") != str(Path(video))


def add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `predict_command` reads."""
    text = "videos, parts of videos such as film.mp4#t=60,120, and folders of videos"
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help=text)
    text = "folder for tables, JSON and timelines (default: predictions)"
    parser.add_argument("--to", dest="folder", type=Path, default=Path("predictions"), metavar="FOLDER", help=text)
    text = "a folder of `microx train robust` (default: the shipped weights)"
    parser.add_argument("--weights", type=Path, metavar="FOLDER", help=text)
    text = "write each video with landmarks, weights and answers drawn in, too"
    parser.add_argument("--video", action="store_true", help=text)


def find_videos(named: Iterable[str], results: Path) -> tuple[list[str], list[str]]:
    """Return the videos that are named, and those in folders that are named; and what is wrong with the others.

    What lies in `results`, the folder that is written to, counts only by name.
    """
    from microx_utils.corpora.table import find_videos as videos_below
    from microx_utils.video import split_path  # imports OpenCV

    videos: list[str] = []
    wrong = []
    for name in named:
        folder = Path(name)
        here = results.resolve()
        found = [name]
        if folder.is_dir():
            found = [str(path) for path in videos_below(folder) if here not in path.resolve().parents]
        elif "#t=" in name and not folder.is_file():
            try:
                known = split_path(name)[1] is not None
            except ValueError:
                known = False
            if not known:
                remedy = "Give its start and end in seconds: film.mp4#t=60,120"
                wrong.append(str(DataError(name, "the part of the video can't be understood", remedy)))
                continue
        videos += found
        if not found:
            wrong.append(str(DataError(folder, "holds no video", "Name a video, or a folder with videos.")))
    return list(dict.fromkeys(videos)), wrong


def name_results(videos: Iterable[str], folder: Path) -> list[Path]:
    """Return for each video where its results are written, without a suffix; no two are equal, or another video's.

    >>> [path.name for path in name_results(["a/film.mp4", "b/film.avi", "film.mp4#t=0,600"], Path("out"))]
    ['film', 'film-2', 'film-0-600s']
    """
    from microx_utils.video import split_path  # imports OpenCV

    stems: list[Path] = []
    for video in videos:
        file, cut = split_path(video)
        name = file.stem if cut is None else f"{file.stem}-{cut.start:g}-{cut.end:g}s"
        number, stem = 1, folder / name
        while stem in stems or _is_of_another(stem, video):
            number += 1
            stem = folder / f"{name}-{number}"
        stems.append(stem)
    return stems
