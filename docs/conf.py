"""The docs site: `make docs` writes it to docs/_build/html."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from generated_pages import write_pages

import annealing

project = "annealing"
author = copyright = "the annealing authors"
version = release = annealing.__version__

extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]  # as GitHub writes formulas
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "annealing"


def setup(app: object) -> None:
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "_generated"))  # type: ignore[attr-defined]
