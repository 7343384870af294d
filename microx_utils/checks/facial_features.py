"""The exercises of notebook 12."""

from collections.abc import Callable
from itertools import chain, combinations
from operator import eq
from typing import Any

import numpy as np
import pandas as pd

from microx_utils.checks.verdict import Verdict, call, check, compare, wrong
from microx_utils.components import PAPER_COMPONENTS
from microx_utils.course.scores import difference_table, interval_words
from microx_utils.crops import CropStore
from microx_utils.evaluation import summary
from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.training import Run, predict

Look = tuple[str, ...]
"""An expression's action units, as text, at each place that is seen."""

MASK, GLASSES = ("nose", "mouth"), ("eyebrows", "eyes")
"""What each of them covers."""


@check
def alike(function: Callable[..., Any], *, expected: pd.DataFrame) -> Verdict:
    """Check a function from covered places to the pairs of expressions that look the same in all others.

    It is tried on every set of places.

    Parameters
    ----------
    expected
        The action units, as text, of each expression (rows, EMOTIONS) at each place (columns).
    """
    places = list(expected.columns)
    sets = list(chain.from_iterable(combinations(places, size) for size in range(len(places) + 1)))

    def pairs(same: Callable[[Look, Look], bool], seen: Callable[[tuple[str, ...]], list[str]]) -> dict[Any, set]:
        """Return, for each set of covered places, the pairs that are the same where one looks."""
        found = {}
        for covered in sets:
            looks = dict(zip(expected.index, map(tuple, expected[seen(covered)].to_numpy()), strict=True))
            found[covered] = {
                frozenset(pair) for pair in combinations(looks, 2) if same(looks[pair[0]], looks[pair[1]])
            }
        return found

    def visible(covered: tuple[str, ...]) -> list[str]:
        return [place for place in places if place not in covered]

    answers = {covered: call(function, covered) for covered in sets}
    groups = list | tuple | set | frozenset
    if not all(isinstance(a, groups) and all(isinstance(pair, groups) for pair in a) for a in answers.values()):
        return wrong("Return the pairs in a list, such as [('anger', 'fear')]; an empty one if there are none.")
    given = {covered: {frozenset(pair) for pair in answer} for covered, answer in answers.items()}
    wanted = pairs(eq, visible)
    mistakes = {
        "These look the same in one of the places that can be seen; another may still tell them apart.": pairs(
            lambda one, other: any(map(eq, one, other)), visible
        ),
        "You compared what is covered.": pairs(eq, list),
        "You compared all places, whatever is covered.": pairs(eq, lambda covered: places),
        "One common unit does not make two expressions look the same; all of them have to agree.": pairs(
            lambda one, other: bool({*" ".join(one).split()} & {*" ".join(other).split()}), visible
        ),
    }

    def listed(covered: tuple[str, ...]) -> str:
        names = [" and ".join(sorted(pair, key=EMOTIONS.index)) for pair in wanted[covered]]
        return ", ".join(sorted(names)) or "none"

    praise = (
        f"Alike under a mask: {listed(MASK)}. Alike behind dark glasses: {listed(GLASSES)}. By the table neither costs "
        "much. What a network loses is another question."
    )
    return compare(given, wanted, mistakes=mistakes, praise=praise)


@check
def only_the_mouth(
    given: Any,
    *,
    run: Run,
    store: CropStore,
    segments: pd.DataFrame,
    alone: pd.DataFrame,
    samples: int,
    seed: int,
) -> Verdict:
    """Check the answers of the network of five on test segments with all but the mouth hidden.

    Parameters
    ----------
    given
        A predictions table.
    run, store, segments
        The network, and what it is tested on.
    alone
        Test predictions of the network that was trained on the mouth alone.
    samples, seed
        Of the bootstrap over people.
    """
    if not isinstance(given, pd.DataFrame) or not {"segment_id", *PROBABILITIES} <= set(given.columns):
        return wrong("only should be the table that predict returns.")
    if set(given["segment_id"]) != set(segments["segment_id"]):
        return wrong(f"Those are {len(given)} segments; wanted are the {len(segments)} of the test set.")

    def answers(table: pd.DataFrame) -> np.ndarray:
        return table.set_index("segment_id").loc[segments["segment_id"], list(PROBABILITIES)].to_numpy(float)

    def shown(*components: str) -> pd.DataFrame:
        return predict(run, store, segments, hide=tuple(name for name in PAPER_COMPONENTS if name not in components))

    wanted = shown("mouth")
    everything = tuple(name for name in PAPER_COMPONENTS if name != "mouth")
    mistakes = {
        "You hid the mouth alone; everything else can be seen.": answers(shown(*everything)),
        "The full face still shows everything, the mouth too. Hide it as well.": answers(shown("mouth", "full_face")),
        "That is the network that was trained on the mouth alone.": answers(alone),
        "Nothing is hidden.": answers(predict(run, store, segments)),
    }
    scores = [summary(table)["accuracy"] for table in (wanted, alone)]
    gap = difference_table({"gap": (wanted, alone)}, samples=samples, seed=seed).loc["gap"]
    low, high = 100 * gap["low"], 100 * gap["high"]
    praise = (
        f"Shown nothing but the mouth, the five are right about {scores[0]:.1%}; the network that knows nothing but "
        f"mouths is right about {scores[1]:.1%}. The difference is {100 * gap['difference']:+.1f} points, 95 % "
        f"interval over people: {interval_words(low, high, '{:+.1f}')}. The five never learned to answer "
        "from one part, and four uniform squares are a face that they have never seen."
    )
    return compare(answers(given), answers(wanted), mistakes=mistakes, praise=praise, tolerance=1e-4)
