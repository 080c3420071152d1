"""The guide: its commands run, its pictures are there, and both languages say the same.

The Python snippets are doctests, which pytest collects from the pages themselves.
"""

from __future__ import annotations

import ast
import doctest
import itertools
import re
import shlex
from pathlib import Path
from textwrap import dedent
from typing import Any

import click
import pytest
from click.testing import CliRunner

from annealing.cli import main

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ROOT / "docs" / "guide.md", ROOT / "docs" / "guide.zh.md"
GUIDES = [ENGLISH, CHINESE]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "howto").glob("*.md")), ROOT / "README.md"]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]+`")
INLINE_MATH = re.compile(r"\$[^$\n]+\$")
LARGEST_PICTURE = 150_000  # bytes


def fenced(page: Path, language: str) -> list[str]:
    """What stands in the fenced blocks of a language, also within lists."""
    return [dedent(block) for name, block in FENCE.findall(page.read_text("utf-8")) if name == language]


def prose(page: Path) -> list[str]:
    """The lines of a page, with nothing in place of fenced blocks and inline code."""
    return INLINE_CODE.sub("", FENCE.sub("", page.read_text("utf-8"))).splitlines()


def links(page: Path) -> list[str]:
    """The targets of links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", "\n".join(prose(page)))


def commands(page: Path) -> list[list[str]]:
    """The lines of shell blocks that begin with `annealing`, as words."""
    lines = "".join(fenced(page, "sh")).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [line for line in words if line and line[0] == "annealing"]


def examples(page: Path) -> list[tuple[str, str]]:
    """The code of each example of the Python blocks as a tree, which has no comments, and what it prints."""
    parser = doctest.DocTestParser()
    found = [example for block in fenced(page, "python") for example in parser.get_examples(block)]
    return [(ast.dump(ast.parse(example.source)), example.want) for example in found]


def check_that_it_parses(name: str, arguments: list[str]) -> None:
    """Read the arguments of `annealing NAME` without running it; of `compare` also make the experiment."""
    context = main.make_context("annealing", [name, *arguments])
    command = main.get_command(context, name)
    assert command, f"no such command: {name}"
    parameters: dict[str, Any] = command.make_context(name, arguments, parent=context).params
    if name == "compare":
        from annealing.compare.compare_command import _experiment

        _experiment(*(parameters[key] for key in ("experiment", "budget", "seeds", "only", "data")))


@pytest.mark.parametrize(
    ("page", "words"),
    [pytest.param(page, words, id=f"{page.name}: {shlex.join(words)}") for page in PAGES for words in commands(page)],
)
def test_commands_run(page: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    _, name, *arguments = words
    if name in ("compare", "explore"):  # training takes minutes, and a page is served until Ctrl-C
        check_that_it_parses(name, arguments)
        return
    result = CliRunner().invoke(main, [name, *arguments])
    assert result.exit_code == 0, result.output
    assert result.output
    out = dict(itertools.pairwise(words)).get("--out")
    assert out is None or (tmp_path / out).stat().st_size


def shown(page: Path) -> list[list[str]]:
    """The commands that a page shows with their output, and that output, as words."""
    blocks = [block.partition("\n") for block in fenced(page, "text") if block.startswith("$ annealing ")]
    return [[command.removeprefix("$ annealing "), output] for command, _, output in blocks]


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=lambda page: page.name)
def test_commands_print_what_is_shown(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for command, output in shown(page):
        assert CliRunner().invoke(main, shlex.split(command)).stdout.split() == output.split()


def test_a_wrong_command_is_seen() -> None:
    for wrong in (["--budgets", "20"], ["--budget", "many"]):
        with pytest.raises(click.UsageError):
            check_that_it_parses("compare", wrong)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_guides_show_the_commands(page: Path) -> None:
    assert {words[1] for words in commands(page)} >= {"show", "figure", "compare"}


def test_snippets_are_the_same_in_both_languages() -> None:
    assert len(examples(ENGLISH)) > 40
    assert examples(CHINESE) == examples(ENGLISH)
    assert commands(CHINESE) == commands(ENGLISH)
    assert fenced(CHINESE, "math") == fenced(ENGLISH, "math")


def test_the_recipes_are_the_same_in_both_languages() -> None:
    english, chinese = ROOT / "docs" / "recipes.md", ROOT / "docs" / "recipes.zh.md"
    assert len(examples(english)) > 5
    assert examples(chinese) == examples(english)
    assert len(prose(chinese)) == len(prose(english))


def test_guides_have_the_same_parts() -> None:
    """Line by line the same kind of part, and in each the same numbers."""

    def parts(page: Path) -> list[str]:
        kinds = [re.match(r"#+ |- |\d\. |\||!|", line) for line in prose(page)]
        return [kind[0] for kind in kinds if kind]

    def numbers(page: Path) -> list[set[str]]:
        return [set(re.findall(r"\d+(?:[.,]\d+)*", line)) for line in prose(page)]

    assert sum(part.startswith("#") for part in parts(ENGLISH)) > 12
    assert parts(CHINESE) == parts(ENGLISH)
    assert numbers(CHINESE) == numbers(ENGLISH)
    english, chinese = ([link for link in links(page) if not link.endswith(".md")] for page in GUIDES)
    assert chinese == english


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_linked_files_are_there(page: Path) -> None:
    for target in links(page):
        if not re.match(r"[a-z]+:|#|(\.\./)?_generated/", target):  # what is generated, Sphinx checks
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "images").iterdir()), ids=lambda picture: picture.name)
def test_pictures_are_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size < LARGEST_PICTURE
    target = f"docs/images/{picture.name}"
    shown = {
        (page.parent / link).resolve().relative_to(ROOT).as_posix()
        for page in PAGES
        for link in links(page)
        if "images/" in link
    }
    assert target in shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_formulas_are_such_that_github_shows_them(page: Path) -> None:
    """GitHub reads $...$ as a formula after a space or at the begin of a line, and before no letter or digit."""
    for line in prose(page):
        assert line.count("$") % 2 == 0, line
        for formula in INLINE_MATH.finditer(line):
            before, after = line[: formula.start()][-1:], line[formula.end() :][:1]
            assert before in ("", " "), line
            assert not after.isalnum(), line
            assert formula[0][1:-1].strip() == formula[0][1:-1], line
