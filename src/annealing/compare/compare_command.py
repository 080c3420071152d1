"""`annealing compare`."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from . import Tuning, WorkerError, read_experiment, sgdr, standing, tabulated
from . import compare as train
from .store import free_for_comparison
from .tuning import read_choice


@click.command()
@click.argument("experiment", required=False, metavar="[EXPERIMENT.yaml]")
@click.option("--out", metavar="DIR", help="Directory for the records and the report.")
@click.option("--list", "listed", metavar="DIR", help="Show the state of every trial in DIR, also while they train.")
@click.option("--report", "reported", metavar="DIR", help="Write the report in DIR again, also while trials train.")
@click.option("--budget", type=int, help="Epochs that stand for the paper's 200.  [default: 40]")
@click.option(
    "--seeds", type=int, help="Number of seeds; each fixes weights and data order.  [default: 5, or the file's]"
)
@click.option("--only", multiple=True, metavar="NAME", help="A schedule to train, such as cosine-100; may be repeated.")
@click.option("--data", metavar="DIR", help="Directory with the images.  [default: the cache, downloaded once]")
@click.option("--workers", type=int, help="Trials at a time.  [default: one for each processor]")
@click.option("--ray", metavar="ADDRESS", help="Train on a Ray cluster whose nodes all see DIR.")
@click.option(
    "--tune-only", is_flag=True, help="Train the values under `tune` in EXPERIMENT.yaml, and show the results."
)
@click.option("--json", "as_json", is_flag=True, help="Print the results, or the list, as JSON.")
def compare(
    experiment: str | None,
    out: str | None,
    listed: str | None,
    reported: str | None,
    budget: int | None,
    seeds: int | None,
    only: tuple[str, ...],
    data: str | None,
    workers: int | None,
    ray: str | None,
    tune_only: bool,
    as_json: bool,
) -> None:
    """Train a model under several schedules and say which is better.

    EXPERIMENT.yaml describes what is trained. Without it, the schedules of the SGDR paper are compared on
    scikit-learn's digits: step decay, warm restarts and single cosines (cosine-200 is the paper's T_0 = 200). DIR gets
    the records and a report made from them, report.html. Stop it at any moment: the same command continues. --list and
    --report train nothing. --tune-only stops before the comparison; the same command without it continues.
    """
    if (out, listed, reported).count(None) != 2:
        raise click.UsageError("give one of --out DIR, --list DIR, --report DIR")
    if out is None:
        given = {"EXPERIMENT.yaml": experiment, "--budget": budget, "--seeds": seeds, "--only": only or None}
        given |= {"--data": data, "--workers": workers, "--ray": ray, "--tune-only": tune_only or None}
        if wrong := [name for name, value in given.items() if value is not None]:
            raise click.UsageError(f"{wrong[0]} belongs to training with --out DIR")
        _list(listed, as_json) if listed is not None else _report(str(reported), as_json)
        return
    if ray is not None and workers is not None:
        raise click.UsageError("--workers belongs to this machine; with --ray the cluster has its own")
    from .text import Bars, tuned

    made, words = _experiment(experiment, budget, seeds, only, data)
    options: dict[str, Any] = {"workers": workers, "ray": ray, "command": shlex.join(["annealing", "compare", *words])}

    def trained(place: Any, made: Any) -> Any:
        bars = Bars(made)
        with bars.progress:
            return train(place, made, watch=bars, **options)

    if tune_only and not isinstance(made, Tuning):
        raise click.UsageError("--tune-only needs the key `tune` in EXPERIMENT.yaml")
    try:
        if isinstance(made, Tuning):
            free_for_comparison(out)
            made = made.search(Path(out), trained)
        if tune_only:
            found = read_choice(Path(out)) or {}
            click.echo(json.dumps(found, allow_nan=False) if as_json else tuned(found), nl=as_json)
            return
        table = trained(out, made)
    except WorkerError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error}; the same command continues with what is missing") from None
    except KeyboardInterrupt:
        click.echo("Interrupted; the same command continues with what is missing.", err=True)
        sys.exit(130)
    _show(table, out, as_json)


def _list(directory: str, as_json: bool) -> None:
    from .text import listing

    states = standing(directory)
    click.echo(json.dumps([asdict(state) for state in states], allow_nan=False) if as_json else listing(states))


def _report(directory: str, as_json: bool) -> None:
    try:
        table = tabulated(directory)
    except OSError as error:
        raise click.ClickException(f"the report cannot be written: {error}") from None
    if table is not None:
        _show(table, directory, as_json)
    elif as_json:
        click.echo(json.dumps({"finished": 0, "trials": len(standing(directory)), "lines": []}))
    else:
        click.echo(f"No seed of the baseline is finished yet; {directory}/report.html shows what is.", err=True)


def _show(table: Any, directory: str, as_json: bool) -> None:
    from .report import plain
    from .text import brief

    click.echo(json.dumps(plain(table), allow_nan=False) if as_json else brief(table))
    if not as_json:
        click.echo(f"{directory}/report.html is the whole report, {directory}/table.txt the same as text.", err=True)


def _experiment(
    file: str | None, budget: int | None, seeds: int | None, only: tuple[str, ...], data: str | None
) -> tuple[Any, list[str]]:
    """The experiment, and the words of a command for it that names no place."""
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
