"""The seven classes, their names in the corpora (paper, section III.B), and the columns of the clip table."""

from microx_utils.support.names import folded

CLIP_COLUMNS = ["clip_id", "corpus", "subject", "emotion", "source_label", "path", "condition", "split_group", "note"]
"""The clip table, one row per clip; every corpus reader in `corpora/` returns one.

source_label is the corpus's own word for the emotion; condition is "plain" or "mask"; clips of one
split_group (a person, or a session of several) are never on two sides of a speaker-independent split.
"""

EXCLUDED_COLUMNS = ["corpus", "clip_id", "path", "source_label", "reason"]
"""The table of clips that can't be used, with the reason."""

EMOTIONS = ("neutral", "anger", "contempt", "surprise", "fear", "happy", "sad")
"""The paper's classes in the order of its plots; "contempt" includes disgust."""

PROBABILITIES = tuple(f"p_{emotion}" for emotion in EMOTIONS)
"""The columns of a predictions table with each class's probability, in the order of EMOTIONS."""

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
    "amusement": "happy",  # Belfast's word for the response to a comic film or task: smiles and laughter
    "excited": "happy",  # IEMOCAP's; nearly all published results on it count it as happiness
    "sadness": "sad",
    "sad": "sad",
}
"""A corpus's word (lower case) -> class. The paper merges contempt and disgust, "following BAUM-2"."""

UNMAPPED_LABELS = (
    # BAUM-1's mental states: the paper does not say what it did with them
    "boredom",
    "bothered",
    "concentrating",
    "interest",
    "thinking",
    "unsure",
    "calm",  # RAVDESS: a second, mildly pleasant baseline besides neutral, so neither neutral nor happy
    "frustration",  # IEMOCAP and Belfast: raters distinguish it from anger, and no other class is close
    "frustrated",
    "other",  # IEMOCAP: an emotion outside its list
    "no agreement",  # IEMOCAP's xxx: no label had a majority
)
"""The corpora's labels outside the seven classes; their clips are listed as excluded."""


def emotion_of(label: str) -> str | None:
    """Return the class of a corpus's label, or None for a known label outside the seven classes.

    Parameters
    ----------
    label
        The word in the corpus; case, blanks and the dots of Turkish i are ignored.

    Raises
    ------
    ValueError
        The word is in neither table: it is misspelt, or nobody has decided on its class yet.
    """
    word = folded(label)
    if word in LABEL_TO_EMOTION:
        return LABEL_TO_EMOTION[word]
    if word in UNMAPPED_LABELS:
        return None
    known = sorted({*LABEL_TO_EMOTION, *UNMAPPED_LABELS})
    raise ValueError(f"unknown emotion label {label!r}; known labels are {known}")
