"""The same schedule in other frameworks: `translate` writes their arguments, `from_framework` reads them."""

# Importing these registers their forms; the first exact one of a framework is taken, in the order of its file.
from . import keras_forms, optax_forms, pretraining_forms, pytorch_forms, timm_forms, transformers_forms, vision_forms
from .frameworks import FRAMEWORKS
from .matching import Translation, translate
from .reading import from_framework

__all__ = [
    "FRAMEWORKS",
    "Translation",
    "from_framework",
    "keras_forms",
    "optax_forms",
    "pretraining_forms",
    "pytorch_forms",
    "timm_forms",
    "transformers_forms",
    "translate",
    "vision_forms",
]
