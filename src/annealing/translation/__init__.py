"""The same schedule in other frameworks: `translate` writes their arguments, `from_framework` reads them."""

# Importing these registers their forms; the first exact one of a framework is taken, in the order of its file.
from . import function_forms, pytorch_forms, trainer_forms, vision_forms  # noqa: F401
from .frameworks import FRAMEWORKS
from .matching import Translation, translate
from .reading import from_framework

__all__ = ["FRAMEWORKS", "Translation", "from_framework", "translate"]
