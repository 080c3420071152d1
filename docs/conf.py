"""The docs site: `make docs` writes it to docs/_build/html."""

import re
import sys
from pathlib import Path
from typing import Any

import latex2mathml.converter
from docutils import nodes

sys.path.insert(0, str(Path(__file__).parent))

from generated_pages import write_pages

import annealing

project = "annealing"
author = copyright = "the annealing authors"
version = release = annealing.__version__

extensions = ["myst_nb"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]  # as GitHub writes formulas
myst_heading_anchors = 3
nb_execution_mode = "force"  # the outputs are those of the code as it is
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"annealing {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"


def mathml(self: Any, node: nodes.Node) -> None:
    """A formula as MathML, which browsers show without a script or a network."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    self.body.append(latex2mathml.converter.convert(node.astext(), display=display))
    # The formula is all: Sphinx would else write its source below it.
    raise nodes.SkipNode


def without_last_blank_line(app: Any, name: str, source: list[str]) -> None:
    """A doctest ends with a blank line, which a reader need not see."""
    source[0] = re.sub(r"\n\n```$", "\n```", source[0], flags=re.MULTILINE)


def setup(app: Any) -> None:
    app.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "_generated"))
    app.connect("source-read", without_last_blank_line)
