"""The split explorer: who stands where under each rule, and the training segment that is most like a test segment."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import ipywidgets
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from microx_utils.course.scores import interval_words
from microx_utils.evaluation import bootstrap_interval, summary
from microx_utils.plots.overlays import WIDTH, rgb
from microx_utils.plots.style import INK, SPLIT_COLOURS, caption_data
from microx_utils.rivals.nearest_neighbour import nearest_neighbour_predictions, nearest_rows
from microx_utils.segments import SPLIT_NAMES, SPLIT_RULES, split_segments
from microx_utils.widgets.films import facts_table
from microx_utils.widgets.live import Live, choice, slider
from microx_utils.widgets.shown import Content, Html, Seen, bars

_SIDE = 168  # px of each of the two pictures
_LARGEST, _SMALLEST = 12, 3  # px from one box to the next
_GAP = 3  # px between clips
_RING = 8  # px, radius
_MARGIN = _RING + 2


@dataclass(frozen=True)
class Division:
    """One division of the segments, and the training segment nearest to each test segment.

    test and nearest are rows of the segments' table, intp (tests,), the most alike first; distance is the root mean
    square difference of their pixels, levels of 255. `accuracy` is that of copied labels, with its 95 % interval over
    people.
    """

    rule: str
    split: pd.Series
    test: NDArray[np.intp]
    nearest: NDArray[np.intp]
    distance: NDArray[np.float64]
    accuracy: float
    interval: tuple[float, float]


def divide(
    segments: pd.DataFrame, pictures: NDArray[np.uint8], rule: str, *, seed: int = 0, samples: int = 1000
) -> Division:
    """Divide segments by a rule of SPLIT_RULES, and find each test segment's nearest training segment.

    `segments` is the table of `make_segments`, `pictures` uint8 (n, H, W, 3) one picture of each; `samples` is the
    number of resamples behind the interval.
    """
    split = split_segments(segments, by=rule, seed=seed)
    train, test = (np.flatnonzero(split == side) for side in ("train", "test"))
    nearest = nearest_rows(pictures, train, test)
    squares = [((pictures[a].astype(float) - pictures[b]) ** 2).mean() for a, b in zip(test, nearest, strict=True)]
    order = np.argsort(squares, kind="stable")
    copied = nearest_neighbour_predictions(pictures, segments.assign(split=split))
    interval = bootstrap_interval(copied, "accuracy", samples=samples, seed=seed)
    distance = np.sqrt(squares)[order]
    return Division(rule, split, test[order], nearest[order], distance, summary(copied)["accuracy"], interval)


@dataclass(frozen=True)
class Grid:
    """Where each segment's box is: its top left corner, int (n, 2) px (x, y), in a picture of `shape`; its size."""

    shape: tuple[int, int]
    corners: NDArray[np.intp]
    wide: int
    high: int

    def middle(self, row: int) -> tuple[int, int]:
        """Return x and y of the middle of a segment's box."""
        x, y = self.corners[row]
        return int(x) + self.wide // 2, int(y) + self.high // 2


def lay_out(segments: pd.DataFrame, *, width: int = WIDTH) -> Grid:
    """Return a place for each segment: a column for each person, with the clips one below the other."""
    people = pd.factorize(segments["split_group"], sort=True)[0]
    across = int(np.clip((width - 2 * _MARGIN) // (people.max() + 1), _SMALLEST, _LARGEST))
    down = 1 + across // 2  # low boxes: some people have many
    within = segments.groupby("split_group").cumcount().to_numpy()
    begins = (segments["clip_id"] != segments.groupby("split_group")["clip_id"].shift()).astype(int)
    clip = begins.groupby(segments["split_group"]).cumsum().to_numpy() - 1
    x, y = people * across + _MARGIN, within * down + clip * _GAP + _MARGIN
    shape = (int(y.max()) + down + _MARGIN, int(x.max()) + across + _MARGIN)
    return Grid(shape, np.stack([x, y], axis=1).astype(np.intp), across - 1, down - 1)


def draw_grid(grid: Grid, split: pd.Series) -> NDArray[np.uint8]:
    """Return the boxes in the colours of their split, uint8 (H, W, 3) on white."""
    picture = np.full((*grid.shape, 3), 255, np.uint8)
    for (x, y), side in zip(grid.corners, split, strict=True):
        picture[y : y + grid.high, x : x + grid.wide] = rgb(SPLIT_COLOURS[side])
    return picture


def mark_pair(picture: NDArray[np.uint8], grid: Grid, one: int, other: int) -> NDArray[np.uint8]:
    """Return a copy of the grid's picture in which two segments are ringed and joined."""
    picture = picture.copy()
    places = grid.middle(one), grid.middle(other)
    for colour, thick in (((255, 255, 255), 4), (rgb(INK), 2)):
        cv2.line(picture, *places, colour, thick - 1, cv2.LINE_AA)
        for place in places:
            cv2.circle(picture, place, _RING, colour, thick, cv2.LINE_AA)
    return picture


def same(segments: pd.DataFrame, division: Division, column: str) -> NDArray[np.bool_]:
    """Return whether each test segment shares a column's value with its nearest training segment, bool (tests,)."""
    values = segments[column].to_numpy()
    return np.asarray(values[division.test] == values[division.nearest], bool)


def compare(segments: pd.DataFrame, division: Division, number: int) -> Html:
    """Return what to say of a test segment and its nearest training segment, as a table."""
    test, near = (segments.iloc[int(rows[number])] for rows in (division.test, division.nearest))
    if test["clip_id"] == near["clip_id"]:
        who = "the same clip"
    else:
        who = "the same person, another clip" if test["split_group"] == near["split_group"] else "another person"
    verdict = "right" if test["emotion"] == near["emotion"] else "wrong"
    return facts_table(
        {
            "pair": f"{number} of 0 to {len(division.test) - 1}, the most alike first",
            "test segment": f"{test['segment_id']}, labelled {test['emotion']}",
            "nearest in training": f"{near['segment_id']}, labelled {near['emotion']}",
            "it shows": who,
            "distance": f"{division.distance[number]:.1f} levels of 255 (root mean square over the pixels)",
            "its label, copied, is": verdict,
        }
    )


def count_sides(segments: pd.DataFrame, split: pd.Series) -> Html:
    """Return the colours of the three sides with how many segments, clips and people each has."""
    lines = []
    for side in SPLIT_NAMES:
        rows = segments[(split == side).to_numpy()]
        swatch = f'<span style="display:inline-block;width:1em;height:0.8em;background:{SPLIT_COLOURS[side]}"></span>'
        clips, people = rows["clip_id"].nunique(), rows["split_group"].nunique()
        lines.append(f"<div>{swatch} {side}: {len(rows):,} segments of {clips:,} clips and {people} people</div>")
    return Html(
        "<div>A column is a person, a box a segment; a gap begins another clip. The rings are the pair on show.</div>"
        + "".join(lines)
    )


def split_explorer(
    segments: pd.DataFrame,
    pictures: NDArray[np.uint8],
    *,
    data: str = "rendered sample",
    seed: int = 0,
    samples: int = 1000,
) -> Live:
    """Show a division of the segments by each rule, and for each test segment the training segment most like it.

    Parameters
    ----------
    segments
        The table of `make_segments`.
    pictures
        uint8 (n, H, W, 3): one picture of each segment, by which they are compared.
    data
        What to call the data.
    seed, samples
        Of the split, and of the interval's resamples.
    """
    grid = lay_out(segments)

    @lru_cache(len(SPLIT_RULES))
    def division(rule: str) -> Division:
        return divide(segments, pictures, rule, seed=seed, samples=samples)

    whole = lru_cache(len(SPLIT_RULES))(lambda rule: look_at_all(segments, grid, division(rule), data=data))
    rules = choice("split by", SPLIT_RULES)
    tests = slider("test segment", 0, 1)
    tests.layout.width = "26em"

    def agree() -> None:
        tests.max = len(division(rules.value).test) - 1

    def draw(rule: str, number: int) -> dict[str, Content]:
        found, (picture, alt, sides, shares) = division(rule), whole(rule)
        test, near = int(found.test[number]), int(found.nearest[number])
        return {
            "pair": look_at_pair(segments, pictures, test, near),
            "facts": compare(segments, found, number),
            "grid": Seen(mark_pair(picture, grid, test, near), alt),
            "sides": sides,
            "shares": shares,
        }

    def arrange(controls: Mapping[str, Any], views: Mapping[str, Any]) -> Any:
        wrap = ipywidgets.Layout(flex_flow="row wrap", grid_gap="12px")
        pair = ipywidgets.HBox([views["pair"], views["facts"]], layout=wrap)
        who = ipywidgets.HBox([views["grid"], ipywidgets.VBox([views["sides"], views["shares"]])], layout=wrap)
        return ipywidgets.VBox([ipywidgets.HBox(list(controls.values()), layout=wrap), pair, who])

    controls = {"rule": rules, "number": tests}
    return Live(draw, controls, title="Split explorer", arrange=arrange, adjust=agree)


def look_at_pair(segments: pd.DataFrame, pictures: NDArray[np.uint8], test: int, near: int) -> Seen:
    """Return a test segment's picture beside that of the training segment most like it, in large pixels."""
    both = [cv2.resize(pictures[row], (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST) for row in (test, near)]
    gap = np.full((_SIDE, 8, 3), 255, np.uint8)
    label, other = (segments["emotion"].iloc[row] for row in (test, near))
    alt = f"Left a test segment's face, labelled {label}; right the training segment most like it, labelled {other}"
    return Seen(np.hstack([both[0], gap, both[1]]), alt)


def look_at_all(
    segments: pd.DataFrame, grid: Grid, division: Division, *, data: str
) -> tuple[NDArray[np.uint8], str, Html, Html]:
    """Return a division's grid with its alt text, the size of its sides, and what copied labels are worth."""
    people = segments["split_group"].to_numpy()
    trained = set(people[(division.split == "train").to_numpy()])
    known = np.mean([person in trained for person in people[division.test]])
    alt = f"Segments by person under the {division.rule} rule, coloured by their side; "
    alt += f"the people of {known:.0%} of the test segments are in training"
    shares = pd.Series(
        {
            "shows the same clip": same(segments, division, "clip_id").mean(),
            "shows the same person": same(segments, division, "split_group").mean(),
            "has the right label": division.accuracy,
        }
    )
    tested = len(set(people[division.test]))
    low, high = division.interval
    interval = interval_words(100 * low, 100 * high, "{:.0f} %")
    said = caption_data(data=data, split=division.rule, n=len(division.test), subjects=tested, unit="test segments")
    said = f"The nearest training segment … ({said}; 95 % interval of the labels over people: {interval})"
    picture, sides = draw_grid(grid, division.split), count_sides(segments, division.split)
    return picture, alt, sides, bars(shares, {}, label=said)
