"""The exercises of notebook 01."""

import pandas as pd

from microx_utils.checks.verdict import Verdict, check, compare
from microx_utils.labels import emotion_of


@check
def largest_owner(person: str, share: float, *, clips: pd.DataFrame) -> Verdict:
    """Check who has the most segments, and their share of all segments; `clips` has `split_group` and `segments`."""
    owned = clips.groupby("split_group")["segments"].sum()
    counted = clips["split_group"].value_counts()
    mistakes = {
        "You counted clips. They differ in length, and segments are what a network is trained on.": {
            "share": counted.max() / counted.sum()
        },
        "That is one person's part if all had equally many; find the one who has the most.": {"share": 1 / len(owned)},
        "That is the number of segments; divide it by the number of all.": {"share": owned.max()},
    }
    praise = (
        f"One of {len(owned)} people has {owned.max() / owned.sum():.1%} of the segments, where an even share would be "
        f"{1 / len(owned):.1%}. In a test set this one face counts {owned.max() / owned.mean():.1f} times as much as "
        "the average one."
    )
    given = {"person": str(person), "share": share}
    wanted = {"person": owned.idxmax(), "share": owned.max() / owned.sum()}
    return compare(given, wanted, mistakes=mistakes, praise=praise, tolerance=0.0006)


@check
def share_with_unmapped(given: float, *, clips: pd.DataFrame, excluded: pd.DataFrame) -> Verdict:
    """Check the share of neutral among the clips, once the words that no class takes are folded into it."""
    neutral = (clips["emotion"] == "neutral").sum()
    unmapped = sum(word != "" and emotion_of(word) is None for word in excluded["source_label"])
    mistakes = {
        "That is the share before the words are folded in.": neutral / len(clips),
        "The clips that you added are new ones: they count below the line as well.": (neutral + unmapped) / len(clips),
        "You added every clip that was left out; some have no label, or can't be read.": (neutral + len(excluded))
        / (len(clips) + len(excluded)),
        "That is the share of the added clips alone.": unmapped / (len(clips) + unmapped),
    }
    share = (neutral + unmapped) / (len(clips) + unmapped)
    praise = (
        f"Neutral grows from {neutral / len(clips):.1%} to {share:.1%} of the clips, and whatever is said about it is "
        "now about another class. So a paper has to say what became of such words."
        if unmapped
        else f"Your data have no such words, so neutral stays at {share:.1%}. Of BAUM-1's fourteen, six are such words."
    )
    return compare(given, share, mistakes=mistakes, praise=praise, tolerance=1e-4)
