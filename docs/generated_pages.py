"""Pages made from the code when the site is built: the gallery of recipes, the API, every --help, and the notebooks."""

from __future__ import annotations

import doctest
import inspect
import re
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from textwrap import wrap
from typing import Any

import click
import matplotlib.pyplot as plt
from recipe_tables import FAMILIES

import annealing
from annealing import Schedule, cli, recipes
from annealing.calls import shown
from annealing.sampling import default_until

WIDTH = 88  # characters of a help page
MODULES = ("annealing", "annealing.shapes", "annealing.torch", "annealing.audit", "annealing.compare")
EXAMPLES = Path(__file__).parents[1] / "examples"
INTERNAL = {  # methods that other modules of the package call
    *("tree", "written", "labelled", "cycles", "horizon", "pace", "counted", "in_updates", "rounded"),
    *("made", "check", "make", "others", "marks", "description"),
}
TITLES = {
    "classic": "Annealing, restarts, steps",
    "decays": "Decays",
    "cooldowns": "Cooldowns",
    "stages": "Stages",
    "cyclic": "Cycles",
    "warmups": "Warm-ups",
    "horizon": "A change of plan",
}


def write_pages(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    plt.switch_backend("Agg")
    (folder / "gallery.md").write_text(gallery(folder))
    (folder / "commands.md").write_text(commands())
    (folder / "api.md").write_text(api())
    # The notebooks run where they are, beside the logs that they read.
    shutil.copytree(EXAMPLES, folder / "examples", ignore=shutil.ignore_patterns("*.py", "*.md"), dirs_exist_ok=True)


def gallery(folder: Path) -> str:
    """A section for each recipe, by family: its signature and docstring, and the curve of its example."""
    parts = [
        "# Recipe gallery\n\nEvery recipe with its signature, an example, its source, and the curve of the example. "
        "In a terminal, `annealing recipes NAME` shows the same. [One table](../recipes.md) has them all.\n"
    ]
    for family in FAMILIES:
        parts.append(f"## {TITLES[family]}\n")
        for name, recipe in recipes.named.items():
            if recipe.__module__.endswith(f".{family}"):
                draw(example(name, recipe), folder / f"{name}.svg")
                parts += [described(name, recipe, level=3), f"![The curve of {name}]({name}.svg)\n"]
    return "\n".join(parts)


def draw(schedule: Schedule, file: Path) -> None:
    axes = schedule.plot(until=default_until([schedule]))
    axes.figure.set_size_inches(6, 2.2)
    axes.figure.savefig(file, bbox_inches="tight")
    plt.close(axes.figure)


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
        parts += [described(one, getattr(module, one), level=3) for one in sections(module)]
    return "\n".join(parts)


def sections(module: Any) -> list[str]:
    """The names that have a section: functions first, then schedules and plans, and their nodes last."""
    found: dict[int, str] = {}  # by what they name, so that older names of the same thing have no section of their own
    for name in module.__all__:
        thing = getattr(module, name)
        foreign = getattr(thing, "__module__", "").startswith("torch.")  # PyTorch's own base class is described there
        if name not in recipes.named and not inspect.ismodule(thing) and inspect.getdoc(thing) and not foreign:
            found.setdefault(id(thing), name)
    first = {"Schedule": 1, "Plan": 2}
    rank = {name: first.get(name, 3) if inspect.isclass(getattr(module, name)) else 0 for name in found.values()}
    return sorted(found.values(), key=lambda name: (rank[name], name.lower()))


def described(name: str, thing: Any, level: int = 2) -> str:
    """A heading, the signature, and the docstring with its examples as code; of a class also its methods."""
    parts = [f"{'#' * level} {name}\n"]
    if callable(thing) and not error(thing):
        parts.append(f"```python\n{call(name, thing)}\n```\n")
    parts.append(page(thing))
    if isinstance(thing, type):
        for method, member in vars(thing).items():
            if method[0] != "_" and method not in INTERNAL and inspect.isfunction(member) and member.__doc__:
                parts.append(f"**`.{call(method, member)}`**\n\n{page(member)}")
    return "\n".join(parts)


def error(thing: Any) -> bool:
    """Whether a thing is a class of errors, which have no signature to show."""
    return isinstance(thing, type) and issubclass(thing, Exception)


def call(name: str, thing: Any) -> str:
    """A call with its arguments and defaults, wrapped."""
    signature = inspect.signature(thing)
    # Of a method: a reader calls it on a value.
    own = signature.replace(parameters=[one for key, one in signature.parameters.items() if key != "self"])
    return "\n".join(wrap(shown(name, own), WIDTH, subsequent_indent="    ", break_long_words=False))


def page(thing: Any) -> str:
    """A docstring as Markdown: its examples are fenced, and the arguments that it explains look like code."""
    arguments = set(inspect.signature(thing).parameters) if callable(thing) and not error(thing) else set()

    def as_code(found: re.Match[str]) -> str:
        names = found[1].split(", ")
        return ", ".join(f"`{name}`" for name in names) + ":" if arguments.issuperset(names) else found[0]

    parts = []
    for paragraph in (inspect.getdoc(thing) or "").split("\n\n"):
        code = paragraph.lstrip().startswith(">>>")
        text = inspect.cleandoc(paragraph)
        parts.append(f"```pycon\n{text}\n```" if code else re.sub(r"\b((?:\w+, )*\w+):(?=\s)", as_code, text))
    return "\n\n".join(parts) + "\n"
