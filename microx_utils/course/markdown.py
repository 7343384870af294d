"""Tables in Markdown, for the generated pages."""

from collections.abc import Iterable


def markdown_table(lines: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table of rows of cells, the first its head.

    >>> print(markdown_table([["a", "b"], ["1 | 2", "3"]]))
    | a | b |
    | --- | --- |
    | 1 \\| 2 | 3 |
    """
    rows = [[" ".join(cell.split()).replace("|", "\\|") for cell in line] for line in lines]
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
