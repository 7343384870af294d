"""The seven classes, the table that maps every corpus's words onto them (paper, section III.B), and the clip table."""

CLIP_COLUMNS = ["clip_id", "corpus", "subject", "emotion", "source_label", "path", "condition", "split_group", "note"]
"""The clip table, one row per clip, which every corpus reader of `corpora/` returns."""

EXCLUDED_COLUMNS = ["corpus", "clip_id", "path", "source_label", "reason"]
"""The table of clips that can't be used, and why."""

EMOTIONS = ("neutral", "anger", "contempt", "surprise", "fear", "happy", "sad")
"""The paper's classes in the order of its plots; "contempt" holds contempt and disgust."""

PROBABILITIES = tuple(f"p_{emotion}" for emotion in EMOTIONS)
"""Columns of a predictions table: the probability of each class, in the order of EMOTIONS."""

CHANCE = 1 / len(EMOTIONS)
"""Accuracy of a uniform guess over the seven classes."""

LABEL_TO_EMOTION = {
    "neutral": "neutral",
    "anger": "anger",
    "angry": "anger",
    "contempt": "contempt",
    "disgust": "contempt",
    "surprise": "surprise",
    "surprised": "surprise",
    "fear": "fear",
    "fearful": "fear",
    "happiness": "happy",
    "happy": "happy",
    "joy": "happy",
    "amusement": "happy",  # Belfast's word for what a comic film or task brought about: smiles and laughter
    "excited": "happy",  # IEMOCAP's; nearly all published results on it count excitement as happiness
    "sadness": "sad",
    "sad": "sad",
}
"""Source word (lower case) -> class. The paper merges "following BAUM-2", contempt and disgust together."""

UNMAPPED_LABELS = (
    # BAUM-1's mental states: the paper does not say what became of them
    "boredom",
    "bothered",
    "concentrating",
    "interest",
    "thinking",
    "unsure",
    "calm",  # RAVDESS acts it beside neutral, as a second and mildly pleasant baseline: neither neutral nor happy
    "frustration",  # IEMOCAP and Belfast; raters tell it from anger, and none of the seven classes is near otherwise
    "frustrated",
    "other",  # IEMOCAP: an emotion outside its list
    "no agreement",  # IEMOCAP's xxx: no label had a majority
)
"""Words of the corpora that are none of the seven classes: clips with them are listed as excluded."""


def emotion_of(label: str) -> str | None:
    """Return the class of a corpus's own label word, or None for a known word outside the seven classes.

    Parameters
    ----------
    label
        The word as the corpus prints it; case and surrounding blanks do not matter.

    Raises
    ------
    ValueError
        The word is in neither table: a misspelling or a label nobody has decided on.
    """
    word = label.strip().lower()
    if word in LABEL_TO_EMOTION:
        return LABEL_TO_EMOTION[word]
    if word in UNMAPPED_LABELS:
        return None
    known = sorted({*LABEL_TO_EMOTION, *UNMAPPED_LABELS})
    raise ValueError(f"unknown emotion label {label!r}; known labels are {known}")
