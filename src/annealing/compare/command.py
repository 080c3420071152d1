"""`annealing compare`."""

from __future__ import annotations

import json
import shlex
import sys
from typing import Any

import click


@click.command()
@click.argument("experiment", required=False, metavar="[EXPERIMENT.yaml]")
@click.option("--out", required=True, metavar="DIR", help="Where the records go; a directory of its own.")
@click.option("--budget", type=int, help="Epochs that stand for the paper's 200.  [default: 40]")
@click.option("--seeds", type=int, help="How many; each fixes weights and data order.  [default: 5, or the file's]")
@click.option(
    "--only", multiple=True, metavar="NAME", help="A schedule to train, by its key in results.csv; may be repeated."
)
@click.option("--data", metavar="DIR", help="Where the images are.  [default: the cache, downloaded once]")
@click.option("--workers", type=int, help="Trials at a time.  [default: one for each processor]")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def compare(
    experiment: str | None,
    out: str,
    budget: int | None,
    seeds: int | None,
    only: tuple[str, ...],
    data: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Train schedules with the same seeds, and say what happened.

    EXPERIMENT.yaml says what is trained. Without it, the schedules of the SGDR paper on scikit-learn's digits: step
    decay, warm restarts and single cosines (that of the whole budget is the paper's T_0 = 200). A table with intervals,
    two figures, and the records they are made from. Stop it at any moment: the same command goes on where it was.
    """
    from . import WorkerError
    from . import compare as train
    from .progress import Bars

    made, words = _experiment(experiment, budget, seeds, only, data)
    bars = Bars(made, made.trials())
    try:
        with bars.progress:
            table = train(out, made, workers=workers, watch=bars, command=shlex.join(["annealing", "compare", *words]))
    except WorkerError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error}; the same command goes on with what is missing") from None
    except KeyboardInterrupt:
        click.echo("Interrupted; the same command goes on with what is missing.", err=True)
        sys.exit(130)
    from .report import plain, text

    click.echo(json.dumps(plain(table), allow_nan=False) if as_json else text(table))
    if not as_json:
        click.echo(f"\nThe records and the figures rates.png and errors.png are in {out}.", err=True)


def _experiment(
    file: str | None, budget: int | None, seeds: int | None, only: tuple[str, ...], data: str | None
) -> tuple[Any, list[str]]:
    """The experiment that is meant, and the words of a command for it that names no place."""
    from . import read_experiment, sgdr

    words = ["--out", "DIR"]
    if file is None:
        budget, seeds = 40 if budget is None else budget, 5 if seeds is None else seeds
        words += ["--budget", str(budget), "--seeds", str(seeds), *(word for key in only for word in ("--only", key))]
        return sgdr(budget, seeds, only), words
    if budget is not None or only:
        raise click.UsageError("--budget and --only belong to the comparison without EXPERIMENT.yaml")
    changes: dict[str, Any] = {"seeds": seeds, "data": data}
    words = ["EXPERIMENT.yaml", *words, *([] if seeds is None else ["--seeds", str(seeds)])]
    return read_experiment(file, **{name: value for name, value in changes.items() if value is not None}), words
