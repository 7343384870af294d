"""MMI: over 50 people show single muscle actions and the six expressions, filmed from the front and the side.

Layout: `Sessions/2/S001-002.avi` (subject 1, clip 2), with `S001-002.xml` beside it, which holds
`<Metatag Name="Emotion" Value="4"/>` where an expression was asked for, and `session.xml`, whose `<track view="0">`
says how the person was filmed: 0 from the front, 1 from the side, 2 both in one picture. Sessions with muscle actions
only hold no emotion and are listed as excluded, like views from the side.

Confirmed by public loaders that agree, none of them official: folders and names, the Metatag, the views (two of them)
and the codes 1 anger, 2 disgust, 3 fear, 4 happiness, 5 sadness, 6 surprise (by one, which mentions further codes and
skips them). Unverified: which half of a picture with both views is the front, so the full picture is used and `note`
says so. According to the same two, many frontal recordings are rotated by 90 degrees; no face is found in those, and
they are listed as such: turn them upright first (ffmpeg -vf transpose=1).

If the XML is missing or the names differ, write `labels.csv` with the columns file, subject, emotion into
the corpus's folder. Its rows take precedence over the XML.
"""

import re
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from microx_utils.corpora.table import LABEL_SHEET, Corpus, Description, read_with_labels

EMOTIONS = {"1": "anger", "2": "disgust", "3": "fear", "4": "happiness", "5": "sadness", "6": "surprise"}
SIDE_VIEW, BOTH_VIEWS = "1", "2"

LAYOUT = """\
    MMI/Sessions/2/S001-002.avi      (S001 is the subject)
    MMI/Sessions/2/S001-002.xml      (<Metatag Name="Emotion" Value="4"/>)
    MMI/Sessions/2/session.xml       (<track view="0">; may be missing)
    MMI/labels.csv                   (file,subject,emotion; yours, where the XML is missing)"""


def read_mmi(folder: Path) -> pd.DataFrame:
    """Return clip rows of MMI."""
    return read_with_labels("MMI", folder, LAYOUT, clip_id=lambda path: "_".join(path.parts[-2:]), describe=_describe)


def _describe(video: Path) -> Description:
    described = _metadata(video, video.stem)
    name = re.match(r"S[0-9]+", video.stem.upper())
    label, fault = asked_emotion(described, video.stem)
    view = camera_view(video)
    if view == SIDE_VIEW:
        fault = fault or "filmed from the side (session.xml: view 1)"
    if name is None:
        fault = fault or f"the name doesn't tell the subject (S001-...): write {LABEL_SHEET}"
    note = "front and side in one picture (session.xml: view 2)" if view == BOTH_VIEWS else ""
    return Description(name[0] if name else "", label, fault, note, recognised=described is not None)


def _metadata(video: Path, stem: str) -> ElementTree.Element | str | None:
    """Return the root of the XML named `stem` beside a video, what is wrong with it, or None if there is none."""
    for path in sorted(video.parent.iterdir()):
        if path.name.lower() == f"{stem.lower()}.xml":
            try:
                return ElementTree.parse(path).getroot()
            except (ElementTree.ParseError, OSError, ValueError) as error:
                return f"{path.name} is not readable as XML ({error})"
    return None


def _named(root: ElementTree.Element, tag: str) -> list[dict[str, str]]:
    """Return the attributes of every element called `tag`, names in lower case, in any namespace."""
    elements = (element for element in root.iter() if isinstance(element.tag, str))
    found = (element.attrib for element in elements if element.tag.rsplit("}")[-1].lower() == tag)
    return [{name.lower(): value.strip() for name, value in attributes.items()} for attributes in found]


def asked_emotion(described: ElementTree.Element | str | None, stem: str) -> tuple[str, str]:
    """Return (label, "") for what a clip's XML says, or ("", reason)."""
    if described is None:
        return "", f"no {stem}.xml beside the video, and no row in {LABEL_SHEET}"
    if isinstance(described, str):
        return "", described
    for attributes in _named(described, "metatag"):
        value = attributes.get("value", "")
        if attributes.get("name", "").lower() == "emotion" and value:
            label = EMOTIONS.get(value, value.lower())
            return (label, "") if not label.isdigit() else (label, f"the emotion's code {value} is not known")
    return "", f"{stem}.xml names no emotion (single muscle actions)"


def camera_view(video: Path) -> str:
    """Return the view that session.xml gives for a video, or "" if it gives none."""
    session = _metadata(video, "session")
    if session is None or isinstance(session, str):
        return ""
    tracks = _named(session, "track")
    own = [track for track in tracks if Path(track.get("filename", "")).name.lower() == video.name.lower()]
    return next((track["view"] for track in own or tracks if "view" in track), "")


CORPUS = Corpus(
    "MMI",
    "over 50 people show muscle actions and six expressions on request, 720 by 576 pixels, 24 a second",
    "free for research; a signed licence agreement; no redistribution",
    "mmifacedb.eu, on request",
    tuple(EMOTIONS.values()),
    LAYOUT,
    read_mmi,
)
