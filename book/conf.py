"""Sphinx's settings for the book. `microx book` puts the pages beside a copy of this file, in build/book/source."""

from binascii import a2b_base64
from hashlib import sha256
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

from microx_utils.course.outline import load_course

_course = load_course()

project = "MicroX"
author = "The MicroX course"
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["README.md"]

html_math_renderer = "mathml"  # browsers draw it themselves; MathJax would be fetched from elsewhere
nb_ipywidgets_js = {}  # and so would what draws live widgets; their stills are shown
nb_execution_mode = "off"  # they come executed
nb_code_prompt_show = "Show the code of this figure"
nb_code_prompt_hide = "Hide the code of this figure"
nb_merge_streams = True
nb_output_stderr = "remove"  # progress bars; a test sees to it that there are no warnings
nb_render_markdown_format = "myst"
myst_enable_extensions = ["dollarmath"]
myst_disable_syntax = ["myst_line_comment"]  # a line of text may start with a percent sign
myst_heading_anchors = 3
suppress_warnings = [
    "mystnb.unknown_mime_type",  # a widget's live view; its still is shown
    "ref.python",  # a word of a docstring that is the name of two things
]

default_role = "code"  # docstrings write `name`
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_mock_imports = ["dlib", "distributed", "jax"]  # extras that need not be installed
napoleon_google_docstring = False
napoleon_use_ivar = True  # or the fields of a NamedTuple would be described twice

html_theme = "sphinx_book_theme"
html_title = _course.title
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_extra_path = ["extra"]
html_copy_source = True  # the button that downloads a notebook needs it
html_theme_options = {
    "use_download_button": True,
    "use_fullscreen_button": False,
    **{bar: [] for bar in ("navbar_start", "navbar_center", "navbar_end", "navbar_persistent")},  # all is at the side
    "show_toc_level": 2,
    "pygments_light_style": "a11y-light",
    "pygments_dark_style": "a11y-dark",
}
if _course.repository:
    html_theme_options |= {
        "repository_url": _course.repository,
        "repository_branch": "main",
        "use_repository_button": True,
        "launch_buttons": {
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
        },
    }


def _formula(as_block):
    """Return what writes a formula as MathML, in the line or on one of its own."""

    def write(translator, node):
        formula = tex2mathml(node.astext(), as_block=as_block)
        translator.body.append(f'<div class="formula" tabindex="0">{formula}</div>' if as_block else formula)
        raise nodes.SkipNode

    return write


def _finish_pictures(app, doctree):
    """Give notebooks' figures their alt text, which MyST-NB leaves out, and have a click open every picture in full."""
    path, said = Path(app.env.doc2path(app.env.docname)), {}
    if path.suffix == ".ipynb":
        outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
        for output in outputs:
            if alt := output.get("metadata", {}).get("image/png", {}).get("alt"):
                said[sha256(a2b_base64(output.data["image/png"])).hexdigest()] = alt  # MyST-NB names files like this
    for picture in doctree.findall(nodes.image):
        picture["alt"] = said.get(Path(picture["uri"]).stem, picture.get("alt", ""))
        if "width" not in picture:
            picture["scale"] = 100  # Sphinx links pictures that have a size


def _skip(_app, _what, _name, member, skip, _options):
    """Leave out functions of SciPy: their wrappers pass for a module's own."""
    return True if str(getattr(member, "__module__", "")).startswith("scipy.") else skip


def setup(app):
    app.connect("autodoc-skip-member", _skip)
    app.connect("doctree-read", _finish_pictures)
    app.add_html_math_renderer("mathml", (_formula(False), None), (_formula(True), None))
