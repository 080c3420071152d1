"""Pages made from the code when the site is built: the gallery of recipes, the API, and every --help."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import matplotlib.pyplot as plt

import annealing
from annealing import Schedule, cli, recipes
from annealing.sampling import default_until

WIDTH = 100  # characters of a help page
MODULES = ("annealing", "annealing.shapes", "annealing.torch", "annealing.audit", "annealing.compare")


def write_pages(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    plt.switch_backend("Agg")
    (folder / "gallery.md").write_text(gallery(folder))
    (folder / "commands.md").write_text(commands())
    (folder / "api.md").write_text(api())


def gallery(folder: Path) -> str:
    """A section for each recipe: its signature and docstring, and the curve of its example."""
    parts = ["# Recipe gallery\n\nEvery recipe with its signature, its source and the curve of its first example.\n"]
    for name, recipe in sorted(recipes.named.items()):
        schedule = example(name, recipe)
        axes = schedule.plot(until=default_until([schedule]))
        axes.figure.set_size_inches(6, 2.2)
        axes.figure.savefig(folder / f"{name}.svg", bbox_inches="tight")
        plt.close(axes.figure)
        parts += [described(name, recipe), f"![The curve of {name}]({name}.svg)\n"]
    return "\n".join(parts)


def example(name: str, recipe: Callable[..., Schedule]) -> Schedule:
    """The first schedule that a recipe makes in its own example."""
    made: list[Schedule] = []

    def record(*args: Any, **kwargs: Any) -> Schedule:
        made.append(recipe(*args, **kwargs))
        return made[-1]

    names: dict[str, Any] = {**recipes.named, **vars(annealing), name: record, "print": lambda *printed: None}
    for step in doctest.DocTestParser().get_examples(inspect.getdoc(recipe) or ""):
        exec(step.source, names)  # our own docstrings, which the tests run as well
    made += [value for value in names.values() if isinstance(value, Schedule)]  # made by a method of the same name
    return made[0]


def commands() -> str:
    """The help of every command, as the terminal shows it."""
    parts = ["# Command line\n\nWhat `annealing COMMAND --help` prints.\n"]
    return "\n".join([*parts, *(f"## {name}\n\n```text\n{text.rstrip()}\n```\n" for name, text in helps())])


def helps() -> Iterator[tuple[str, str]]:
    root = cli.main
    with click.Context(root, info_name="annealing", terminal_width=WIDTH, max_content_width=WIDTH) as context:
        yield "annealing", root.get_help(context)
        for name in root.list_commands(context):
            command = root.get_command(context, name)
            assert command
            with click.Context(command, info_name=name, parent=context) as inner:
                yield f"annealing {name}", command.get_help(inner)


def api() -> str:
    """The public names of each module, from their signatures and docstrings."""
    parts = ["# API reference\n\nThe recipes have [a page of their own](gallery.md).\n"]
    for name in MODULES:
        module = import_module(name)
        parts.append(f"## {name}\n\n{inspect.getdoc(module)}\n")
        own = [one for one in module.__all__ if one not in recipes.named and not inspect.ismodule(getattr(module, one))]
        parts += [described(one, getattr(module, one), level=3) for one in own if inspect.getdoc(getattr(module, one))]
    return "\n".join(parts)


def described(name: str, thing: Any, level: int = 2) -> str:
    """A heading, the signature, and the docstring with its examples as code; of a class also its methods."""
    parts = [f"{'#' * level} {name}\n"]
    if callable(thing) and not (isinstance(thing, type) and issubclass(thing, Exception)):
        parts.append(f"```python\n{name}{inspect.signature(thing)}\n```\n")
    parts.append(as_markdown(inspect.getdoc(thing) or ""))
    if isinstance(thing, type):
        for method, member in vars(thing).items():
            if not method.startswith("_") and inspect.isfunction(member) and member.__doc__:
                parts.append(
                    f"**`{name}.{method}{inspect.signature(member)}`**\n\n{as_markdown(inspect.getdoc(member) or '')}"
                )
    return "\n".join(parts)


def as_markdown(docstring: str) -> str:
    """A docstring whose examples are fenced, and whose lines of arguments are paragraphs."""
    parts = []
    for paragraph in docstring.split("\n\n"):
        code = paragraph.lstrip().startswith(">>>")
        parts.append(f"```pycon\n{inspect.cleandoc(paragraph)}\n```" if code else inspect.cleandoc(paragraph))
    return "\n\n".join(parts) + "\n"
