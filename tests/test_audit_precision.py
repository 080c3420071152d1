"""Tolerances of rates, from the digits that a log prints."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from test_audit_readers import near_halves, written

from annealing.audit import read


def test_halves_of_printed_numbers(tmp_path: Path) -> None:
    """Half a unit of the last digit; where zeros at the end are left out, of the digits that others have."""
    for rates, half in {
        "0.000900 0.001000": [5e-7, 5e-7],
        "1.0000e-03 9.9990e-04": [5e-8, 5e-9],
        "1.5E-05 1.20E-5": [5e-7, 5e-8],
        "0.0973 0.00033077": [5e-7, 5e-9],
        "0.1 0.02": [5e-7, 5e-8],
        "0.30000000000000004 0.1": [2**-55, 2**-57],
        "0.10000000149011612 0.5": [2**-28, 2**-25],
        "0.000 0.125": [5e-4, 5e-4],
        "0 0.123456": [0, 5e-7],
        "12345678901234567890.123 1": [1024, 2**-53],
    }.items():
        text = "step,lr\n" + "".join(f"{n},{rate}\n" for n, rate in enumerate(rates.split()))
        assert near_halves(read(written(tmp_path, text)), half), rates


def test_a_float32_that_is_printed_with_few_digits(tmp_path: Path) -> None:
    """Megatron and llm.c round to float32 first, so the printed rate may be off by more than half a digit."""
    clock = np.arange(1, 301)
    true = np.where(clock <= 10, 4e-4 * clock / 10, 4e-5 + 1.8e-4 * (1 + np.cos(np.pi * (clock - 10) / 290)))
    printed = [f"{np.float32(rate):.6E}" for rate in true]
    file = written(
        tmp_path,
        "".join(f" iteration {n}/ 300 | learning rate: {rate} | x |\n" for n, rate in enumerate(printed, 1)),
    )
    log = read(file)
    off = np.abs(log.rates[:, 0] - true)
    assert (off <= log.half[:, 0]).all()
    assert (off > 0.5e-6 * 10 ** np.floor(np.log10(true))).any()  # half a digit alone would not do
    assert (log.half[:, 0] <= off.max() * 1.5).all()


def test_digits_are_counted_in_rows_that_are_kept(tmp_path: Path) -> None:
    """A printed optimizer has all digits, and rates of four digits are not exact for that."""
    rows = [f"Iter: {n}; LR: {1e-3 * (1 - n / 1001):.3e}; loss: 0.5\n" for n in range(50, 1001, 50)]
    plain = read(written(tmp_path, "".join(rows)))
    dump = "Adam (\nParameter Group 0\n    lr: 0.0006000000000000001\n)\n"
    assert (read(written(tmp_path, dump + "".join(rows))).half == plain.half).all()
    inside = read(written(tmp_path, "".join([*rows[:9], dump, *rows[9:]])))
    kept = inside.rates[:, 0] != 0.0006000000000000001
    assert (inside.half[kept] == plain.half).all()


def test_rates_that_were_rounded_to_so_many_decimals(tmp_path: Path) -> None:
    """round(lr, 8) leaves out zeros at the end, and digits at the front are fewer where the rate is small."""
    true = [5e-4 * (1 + math.cos(math.pi * n / 200)) for n in range(201)]
    log = read(
        written(tmp_path, "".join(json.dumps({"step": n, "lr": round(rate, 8)}) + "\n" for n, rate in enumerate(true)))
    )
    assert (np.abs(log.rates[:, 0] - true) <= log.half[:, 0] * (1 + 1e-9)).all()
    np.testing.assert_allclose(log.half[:, 0], 5e-9, rtol=0.02)  # a float32 spacing more


def test_full_floats_that_are_short_by_luck(tmp_path: Path) -> None:
    """0.0009 among 0.0007000000000000001 and its like is exact, as repr writes it."""
    rates = [1e-3 - n * 1e-8 for n in range(800)]
    log = read(written(tmp_path, "step,lr\n" + "".join(f"{n},{rate!r}\n" for n, rate in enumerate(rates))))
    assert sum(len(repr(rate)) < 12 for rate in rates) > 400
    assert (log.half[:, 0] == np.spacing(log.rates[:, 0]) / 2).all()
