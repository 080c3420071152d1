"""Write the tables of recipes.md and recipes.zh.md from the registry: `python docs/recipe_tables.py`.

The Chinese page keeps its own line for every recipe; a recipe without one is named, and gets it by hand.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from annealing import recipes

DOCS = Path(__file__).parent
FAMILIES = ("classic", "decays", "cooldowns", "stages", "cyclic", "warmups", "horizon")  # the tables in their order
TABLE = re.compile(r"(\| (?:recipe|配方) \|.*\n\| ---.*\n)((?:\| `.*\n)*)")
ROW = re.compile(r"^\| `(\w+)\(.*?\)` \| (.*) \| .* \|$", re.MULTILINE)


def documented(name: str) -> tuple[str, str, str]:
    """A recipe's call, its first sentence and its source, as its documentation has them."""
    recipe = recipes.named[name]
    page = inspect.getdoc(recipe) or ""
    first, source = (" ".join(part.split()) for part in (page.partition("\n\n")[0], page.partition("Source: ")[2]))
    return (
        f"{name}({', '.join(inspect.signature(recipe).parameters)})",
        escaped(first),
        escaped(source.removesuffix(".")),
    )


def escaped(text: str) -> str:
    return text.replace("*", "\\*").replace("|", "\\|")


def written(page: str, words: dict[str, str] | None = None) -> str:
    """The page with its tables from the registry; `words` say what each recipe is, in another language."""
    families = iter(FAMILIES)

    def table(found: re.Match[str]) -> str:
        family = next(families)
        rows = ""
        for name, recipe in recipes.named.items():
            if recipe.__module__.endswith(f".{family}"):
                call, what, source = documented(name)
                rows += (
                    f"| `{call}` | {what if words is None else words.get(name, 'TRANSLATE: ' + what)} | {source} |\n"
                )
        return found[1] + rows

    return TABLE.sub(table, page, count=len(FAMILIES))


def main() -> None:
    english, chinese = DOCS / "recipes.md", DOCS / "recipes.zh.md"
    lines = dict(ROW.findall(chinese.read_text("utf-8")))
    english.write_text(written(english.read_text("utf-8")), "utf-8")
    chinese.write_text(written(chinese.read_text("utf-8"), lines), "utf-8")
    missing = [name for name in recipes.named if name not in lines or lines[name].startswith("TRANSLATE: ")]
    sys.exit(f"recipes.zh.md needs a line for {', '.join(missing)}" if missing else 0)


if __name__ == "__main__":
    main()
