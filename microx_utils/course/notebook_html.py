"""Executed notebooks for readers: tidy outputs, and one HTML page each whose pictures carry their alt text."""

import re
from pathlib import Path

import nbformat
from jinja2 import DictLoader
from nbconvert import HTMLExporter
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

from microx_utils.support import cache

TENSORFLOW_LOG = re.compile(
    r"^(WARNING: All log messages before absl|[IWE]\d{4} \d\d:|To enable the following instr).*\n", re.M
)
"""What TensorFlow's C++ side prints on import; no setting of its own silences it."""


def tidy_outputs(notebook: nbformat.NotebookNode) -> None:
    """Keep of each progress bar its last state, and drop TensorFlow's start-up messages."""
    CoalesceStreamsPreprocessor().preprocess(notebook, {})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            for output in cell.outputs:
                if output.output_type == "stream":
                    output.text = TENSORFLOW_LOG.sub("", output.text)
            cell.outputs = [output for output in cell.outputs if output.get("text") != ""]


PAGE = """
{%- extends "index.html.j2" -%}
{%- block data_png -%}
<div class="jp-RenderedImage jp-OutputArea-output">
<img src="data:image/png;base64,{{ output.data["image/png"] | escape_html }}"
{%- set alt = output | get_metadata("alt", "image/png") %}{% if alt %} alt="{{ alt | escape_html }}"{% endif %}>
</div>
{%- endblock data_png -%}
"""
"""nbconvert's own page leaves alt text out."""


def save_html(executed: Path, page: Path) -> None:
    """Write an executed notebook as one HTML page that needs no other file."""
    notebook = nbformat.read(executed, as_version=4)
    exporter = HTMLExporter(extra_loaders=[DictLoader({"page.html.j2": PAGE})], template_file="page.html.j2")
    text, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": executed.stem}})
    with cache.atomic_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
