"""What the shipped model says of photographs of real people, at rest and smiling.

    python benchmarks/real_smiles.py FOLDER [--card microx_utils/apply/shipped/card.json]

FOLDER holds pairs <number>_neutral.jpg and <number>_smiling.jpg, such as those of the Face Research Lab London Set
(DeBruine & Jones 2017, CC BY 4.0, figshare 5047666). Of each pair a clip is made: ten frames at rest, which are the own
neutral, and twenty with the smile. (Thirty frames at rest are answered, too, but a picture that never changes says
nothing of a network that looks for changes.) Nothing of the model was chosen by them. With --card the row of smiles
becomes part of the card, and the weights beside it are used.
"""

import argparse
import json
from pathlib import Path

import cv2
import pandas as pd
from statsmodels.stats.proportion import proportion_confint
from tqdm import tqdm

from microx_utils.apply.answers import SHIPPED, load_weights
from microx_utils.apply.tracks import track_faces
from microx_utils.labels import EMOTIONS
from microx_utils.robust.inputs import clip_faces
from microx_utils.robust.predicting import predict_clip
from microx_utils.support.cache import atomic_file

TEST = "photographs of real people (Face Research Lab London Set): a smile after the same person at rest, read as happy"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--card", type=Path, help="the card whose rows of photographs are replaced")
    options = parser.parse_args()
    network, said = load_weights(options.card.parent if options.card else SHIPPED), []
    for file in tqdm(sorted(options.folder.glob("*_neutral.jpg")), unit="person"):
        rest, smile = (
            cv2.imread(str(file.with_name(file.name.replace("neutral", word))))[..., ::-1]
            for word in ("neutral", "smiling")
        )
        for shown, frames in (("smiling", [rest] * 10 + [smile] * 20), ("at rest", [rest] * 30)):
            tracks = track_faces(frames, most=1)
            answer = "no face"
            if tracks:
                faces = clip_faces(tracks[0].crops, tracks[0].points, tracks[0].given)
                answer = EMOTIONS[int(predict_clip(network, faces).clip.argmax())]
            said.append({"shown": shown, "answer": answer})
    table = pd.DataFrame(said)
    print(pd.crosstab(table["shown"], table["answer"]).to_string())
    answers = table.loc[table["shown"] == "smiling", "answer"]
    count, n = int((answers == "happy").sum()), len(answers)
    low, high = proportion_confint(count, n, method="wilson")
    row = {"test": TEST, "unit": "clips", "n": n, "people": n, "accuracy": round(count / n, 4)}
    row |= {"low": round(low, 4), "high": round(high, 4), "uar": None, "chance": None}
    print(f"{TEST}: {count / n:.1%} ({low:.1%} to {high:.1%}, Wilson), n = {n}")
    if options.card:
        card = json.loads(options.card.read_text(encoding="utf-8"))
        card["scores"] = [other for other in card["scores"] if other["test"] != TEST] + [row]
        with atomic_file(options.card) as temporary:
            temporary.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
