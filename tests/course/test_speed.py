"""Results of benchmarks: like is compared with like, slower rows are named, and the table shows what was measured."""

from copy import deepcopy
from typing import Any

from microx_utils.course import speed


def a_row(name: str, products: tuple[float, float, float] | None, n: int = 7, unit: str = "ms") -> dict[str, Any]:
    return {"name": name, "unit": unit, "median": 12.34, "low": 11, "high": 1300, "n": n, "products": products}


ENTRY: dict[str, Any] = {
    "title": "Drawing",
    "settings": {"size": 5, "threads": 1},
    "rows": [a_row("a circle", (10, 9.5, 10.5)), a_row("circle against square", None, unit="times")],
    "peak_memory": 2**29,
    "memory": {},
    "machine": {"processor": "P1", "cores": 2, "system": "Linux", "python": "3.12"},
    "commit": "abc1234",
}


def changed(path: tuple[str, ...], value: object) -> dict[str, Any]:
    entry = deepcopy(ENTRY)
    inner = entry
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return entry


def test_only_like_is_compared_with_like() -> None:
    assert speed.why_incomparable(ENTRY, ENTRY) == ""
    assert speed.why_incomparable(ENTRY, None) == "no committed results"
    assert "P1 (processor), these of P2" in speed.why_incomparable(changed(("machine", "processor"), "P2"), ENTRY)
    assert "2 (cores), these of 4" in speed.why_incomparable(changed(("machine", "cores"), 4), ENTRY)
    assert speed.why_incomparable(changed(("settings", "size"), 6), ENTRY) == "other settings: size"
    assert speed.why_incomparable(changed(("settings",), {"size": 5}), ENTRY) == "other settings: threads"
    assert speed.why_incomparable(changed(("machine", "python"), "3.13"), ENTRY) == ""
    (line,) = speed.compare({"draw": changed(("settings", "size"), 6)}, {"draw": ENTRY})
    assert line == "draw: can't compare: other settings: size"


def test_slower_by_more_than_the_spread_of_both_runs() -> None:
    for products, n, expected in [
        ((10.9, 10.8, 11), 7, []),  # within a tenth
        ((11.2, 11.1, 11.3), 7, ["a circle: 12 % slower (spread 10 %)"]),
        ((13, 10, 14), 7, []),  # varies too much itself
        ((12, 12, 12), 1, []),  # measured once
        ((13, 13, 13), 1, ["a circle: 30 % slower (spread 25 %)"]),
        ((5, 5, 5), 7, []),
    ]:
        new = changed(("rows",), [a_row("a circle", products, n), a_row("new", (1, 1, 1)), ENTRY["rows"][1]])
        assert speed.slower(new, ENTRY) == expected, products
    noisy = changed(("rows",), [a_row("a circle", (10, 8, 12))])
    assert speed.slower(changed(("rows",), [a_row("a circle", (13, 13, 13))]), noisy) == []  # varied too much before
    assert speed.compare({"draw": ENTRY}, {"draw": ENTRY}) == ["draw: nothing slower than at abc1234"]


def test_table_shows_rows_with_spread_rounds_memory_and_where() -> None:
    text = speed.speed_text({"draw": ENTRY})
    assert text.startswith("Measured on P1, 2 cores, Linux, Python 3.12 (draw at commit `abc1234`).")
    assert "| **Drawing** |  |  |  | 0.5 GiB |" in text
    assert "| a circle | 12.3 ms | 11.0 to 1,300 | 7 |  |" in text
    assert "| circle against square | 12.3 times |" in text
    assert "make bench" in speed.speed_text({})


def test_of_each_widget_the_slowest_control_is_shown() -> None:
    rows = [
        a_row("one: slider", (1, 1, 1)) | {"median": 3},
        a_row("one: menu", (1, 1, 1)),
        a_row("two: box", (1, 1, 1)),
    ]
    text = speed.speed_text({"widgets": changed(("rows",), rows)})
    assert "one: menu" in text and "two: box" in text
    assert "one: slider" not in text


def test_notebooks_have_a_table_of_their_own() -> None:
    rows = [a_row(f"00_start, {state}", (1, 1, 1), 1, "s") | {"median": m} for state, m in (("cold", 30), ("warm", 4))]
    entry = changed(("rows",), rows) | {"title": "Notebooks, profile `smoke`", "memory": {"00_start": 2**30}}
    text = speed.speed_text({"notebooks": entry})
    assert "| 00_start | 30.0 | 4.00 | 1.0 GiB |" in text
    assert "| **Notebooks" not in text
