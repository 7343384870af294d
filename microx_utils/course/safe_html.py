"""HTML that is shown or published: whatever a file name or a label brings in can format text, but run nothing."""

import nh3
from IPython.core.getipython import get_ipython
from pandas.io.formats.style import Styler

WIDGET_TYPE = "application/vnd.jupyter.widget-view+json"
"""The output type that a front end with widgets shows in place of all others."""

_CHART: dict[str, set[str]] = {
    "svg": {"viewBox", "fill", "font-size"},
    "path": {"d", "fill", "stroke", "stroke-width", "stroke-dasharray", "opacity"},
    "text": {"x", "y", "text-anchor"},
}
"""What the charts of widgets are made of, and the attributes that they use."""

_TAGS = nh3.ALLOWED_TAGS | {"style", "figure", "figcaption", *_CHART}
_EVERYWHERE = {"class", "id", "style", "scope", "colspan", "rowspan", "title", "role"}
_ATTRIBUTES = {**nh3.ALLOWED_ATTRIBUTES, **_CHART, "*": _EVERYWHERE, "img": {"src", "alt", "width", "height"}}


def safe_html(text: str) -> str:
    """Return HTML without scripts, event handlers, frames and forms; pictures must be embedded.

    >>> safe_html('<p>S01<img src="x" onerror="alert(1)"><script>alert(2)</script></p>')
    '<p>S01<img></p>'
    >>> safe_html('<svg viewBox="0 0 9 9" onload="alert(1)"><path d="M1 1H9"/></svg>')
    '<svg viewBox="0 0 9 9"><path d="M1 1H9"></path></svg>'
    """
    return nh3.clean(
        text,
        tags=_TAGS,
        clean_content_tags={"script"},
        attributes=_ATTRIBUTES,
        attribute_filter=_embedded,
        generic_attribute_prefixes={"data-", "aria-"},
        url_schemes={"http", "https", "mailto", "data"},
        link_rel=None,
    )


def _embedded(tag: str, attribute: str, value: str) -> str | None:
    picture = attribute != "src" or value.startswith("data:image/")
    link = attribute != "href" or not value.startswith("data:")
    return value if picture and link else None


def show_safely() -> None:
    """Let a notebook show styled tables, which pandas does not escape, through `safe_html`."""
    shell = get_ipython()
    if shell is not None and shell.display_formatter is not None:
        formatter = shell.display_formatter.formatters["text/html"]
        formatter.for_type(Styler, lambda table: safe_html(table.to_html()))
