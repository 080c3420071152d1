"""Measure the table "The same curve everywhere" in the frameworks that are installed, and write docs/translate.md.

    python benchmarks/same_curves.py [--write]

What is measured is kept in benchmarks/records/same_curves.json, so that frameworks in environments of their own add
their rows one after another; --write puts all rows of the record into the page.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import frameworks_run  # noqa: E402
import host_runs  # noqa: E402, F401  (what timm and Composer need of torchvision)
import same_curves  # noqa: E402

from annealing.translation import FRAMEWORKS  # noqa: E402

RECORD = ROOT / "benchmarks" / "records" / "same_curves.json"
PAGE = ROOT / "docs" / "translate.md"
BEGIN, END = "<!-- the table of benchmarks/same_curves.py -->\n", "<!-- its end -->\n"
PACKAGES = {"composer": "mosaicml"}
FROM_SOURCE = {"megatron": "(the formulas of its source)", "deepspeed": "(the formulas of its source)"}


def key(row: same_curves.Row) -> str:
    return f"{row.title} | {row.framework} | {row.name}({shown(row)})"


def shown(row: same_curves.Row) -> str:
    """The arguments without those that only say that the peak is 1."""
    rates = {"lr": 1, "learning_rate": 1}
    return listed({name: value for name, value in row.arguments.items() if value != rates.get(name)})


def listed(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={written(value)}" for name, value in arguments.items())


def written(value: Any) -> str:
    """A value in short: a part of a composite is a call, without what does not matter here."""
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict) and (name := value.get("name", value.get("type"))):
        left_out = {"name": name, "type": name, "by_epoch": False, "begin": 0}
        return f"{name}({listed({key: each for key, each in value.items() if each != left_out.get(key)})})"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def measured(kept: dict[str, dict[str, str | float]]) -> None:
    for row in same_curves.ROWS:
        if importlib.util.find_spec(frameworks_run.NEEDED[row.framework]) is None:
            continue
        package = PACKAGES.get(row.framework, row.framework)
        version = FROM_SOURCE.get(row.framework) or importlib.metadata.version(package).partition("+")[0]
        kept[key(row)] = {"difference": row.measured(), "version": version}


def table(kept: dict[str, dict[str, str | float]]) -> str:
    lines = []
    for title, (schedule, updates) in same_curves.CURVES.items():
        lines += [f"### {title[0].upper()}{title[1:]}", "", f"`{schedule}`, {updates} updates.", ""]
        lines += ["| framework | arguments | largest difference | |", "| --- | --- | --- | --- |"]
        for row in same_curves.ROWS:
            if row.title == title and key(row) in kept:
                found = float(kept[key(row)]["difference"])
                # Below this is the rounding of a float64; Keras computes in float32.
                rounding = 1e-6 if row.framework == "keras" else 1e-12
                told = "0" if found < rounding else f"{found:.2g}"
                call = f"`{row.name}({shown(row)})`".replace("|", "\\|")
                lines.append(f"| {FRAMEWORKS[row.framework].title} | {call} | {told} | {row.remark} |")
        lines.append("")
    versions = {row.framework: kept[key(row)]["version"] for row in same_curves.ROWS if key(row) in kept}
    told = ", ".join(f"{FRAMEWORKS[name].title} {version}" for name, version in versions.items())
    return "\n".join([*lines, f"Measured with {told}.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    kept = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    measured(kept)
    rows = {key(row) for row in same_curves.ROWS}
    kept = {name: value for name, value in kept.items() if name in rows}
    RECORD.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    if write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{table(kept)}{END}{rest.partition(END)[2]}")
    missing = rows - kept.keys()
    print(f"{len(kept)} of {len(rows)} rows are measured")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
