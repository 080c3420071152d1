"""`annealing compare`."""

from __future__ import annotations

import json
import shlex
import sys
from typing import Any

import click


@click.command()
@click.option("--out", required=True, metavar="DIR", help="Where the records go; a directory of its own.")
@click.option("--budget", type=int, default=40, show_default=True, help="Epochs that stand for the paper's 200.")
@click.option("--seeds", type=int, default=5, show_default=True, help="How many; each fixes weights and data order.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="A schedule to train, by its key in results.csv; may be repeated."
)
@click.option("--workers", type=int, help="Trials at a time.  [default: one for each processor]")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def compare(out: str, budget: int, seeds: int, only: tuple[str, ...], workers: int | None, as_json: bool) -> None:
    """Train the schedules of the SGDR paper on scikit-learn's digits, and say what happened.

    Step decay, warm restarts and single cosines (that of the whole budget is the paper's T_0 = 200) with the same
    seeds; a table with intervals, two figures, and the records they are made from. Stop it at any moment: the same
    command goes on where it was.
    """
    from . import WorkerError, sgdr
    from . import compare as train
    from .progress import Bars

    experiment = sgdr(budget, seeds, only)
    parameters: dict[str, Any] = {"out": "DIR", "budget": budget, "seeds": seeds}
    words = [f"--{name} {value}" for name, value in parameters.items()]
    words += [f"--only {shlex.quote(name)}" for name in only]
    command = " ".join(["annealing compare", *words])
    bars = Bars(experiment, experiment.trials())
    try:
        with bars.progress:
            table = train(out, experiment, workers=workers, watch=bars, command=command)
    except WorkerError as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        click.echo("Interrupted; the same command goes on with what is missing.", err=True)
        sys.exit(130)
    from .report import plain, text

    click.echo(json.dumps(plain(table), allow_nan=False) if as_json else text(table))
    if not as_json:
        click.echo(f"\nThe records and the figures rates.png and errors.png are in {out}.", err=True)
