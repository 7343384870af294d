"""Executed notebooks for readers: tidy outputs, and one HTML page per notebook, with alt text for its pictures."""

import re
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

from microx_utils.course.safe_html import WIDGET_TYPE, safe_html
from microx_utils.support import cache

TENSORFLOW_LOG = re.compile(
    r"^(WARNING: All log messages before absl|[IWE]\d{4} \d\d:|To enable the following instr).*\n", re.M
)
"""What TensorFlow's C++ side prints on import; no setting of its own silences it."""


def tidy_outputs(notebook: nbformat.NotebookNode) -> None:
    """Reduce each progress bar to its last state, drop TensorFlow's start-up messages, and leave widgets' stills only.

    A widget needs the kernel that made it: without one its place would stay empty, and its saved state is large.
    """
    CoalesceStreamsPreprocessor().preprocess(notebook, {})
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            for output in cell.outputs:
                if output.output_type == "stream":
                    output.text = TENSORFLOW_LOG.sub("", output.text)
                elif "text/html" in output.get("data", {}):
                    output.data.pop(WIDGET_TYPE, None)
                    output.data["text/html"] = safe_html(output.data["text/html"])
            cell.outputs = [output for output in cell.outputs if output.get("text") != ""]


def save_html(executed: Path, page: Path) -> None:
    """Write an executed notebook as a single HTML file with embedded pictures."""
    notebook = nbformat.read(executed, as_version=4)
    exporter = HTMLExporter(template_name="classic")  # the default template drops alt text
    text, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": executed.stem}})
    with cache.atomic_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
