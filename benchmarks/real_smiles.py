"""What the shipped model says of photographs of real people, at rest and smiling.

    python benchmarks/real_smiles.py FOLDER [--card microx_utils/apply/shipped/card.json]

FOLDER holds pairs <number>_neutral.jpg and <number>_smiling.jpg, such as those of the Face Research Lab London Set
(DeBruine & Jones 2017, CC BY 4.0, figshare 5047666). Of each pair a clip is made: ten frames at rest, which are the own
neutral, and twenty with the smile; and one of thirty frames at rest. Nothing of this model was chosen by them. With
--card the two rows become part of the model card.
"""

import argparse
import json
from pathlib import Path

import cv2
import pandas as pd
from statsmodels.stats.proportion import proportion_confint
from tqdm import tqdm

from microx_utils.apply.answers import load_weights
from microx_utils.apply.tracks import track_faces
from microx_utils.labels import EMOTIONS
from microx_utils.robust.inputs import clip_faces
from microx_utils.robust.predicting import predict_clip
from microx_utils.support.cache import atomic_file


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--card", type=Path, help="the card whose rows of photographs are replaced")
    options = parser.parse_args()
    network, said = load_weights(), []
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
    rows = []
    for shown, right in (("smiling", "happy"), ("at rest", "neutral")):
        answers = table.loc[table["shown"] == shown, "answer"]
        count, n = int((answers == right).sum()), len(answers)
        low, high = proportion_confint(count, n, method="wilson")
        numbers = {"accuracy": count / n, "low": low, "high": high, "uar": None, "chance": 1 / len(EMOTIONS)}
        rounded = {key: value if value is None else round(value, 4) for key, value in numbers.items()}
        test = f"photographs of real people {shown}, read as {right}"
        rows.append({"test": test, "unit": "clips", "n": n, "people": n, **rounded})
    print(pd.DataFrame(rows).to_string(index=False))
    if options.card:
        card = json.loads(options.card.read_text(encoding="utf-8"))
        card["scores"] = [row for row in card["scores"] if not row["test"].startswith("photographs")] + rows
        with atomic_file(options.card) as temporary:
            temporary.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
