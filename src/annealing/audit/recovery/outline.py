"""Where a log rises, stays at its top, falls and rests, and the curve on which it falls: where each fit starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ... import shapes
from .fitting import LogRows, fit, spend
from .model import Array, FittedPart, Model, ShapeFamily, root

A_PART = 0.01
LEAST_CHANGE = 0.9  # of a unit of the last digit
LOOSE = 3.0  # of the tolerance: a curve through the fall alone is a first guess
HOPELESS = 0.25  # of the range of the rates: no guess this far off leads to the curve
SEARCHED = 24  # rows that the search for a guess looks at
OUTSIDE = np.geomspace(1e-6, 300, 60)  # how far beyond the rows a curve starts or ends, in lengths of theirs
FINER = np.geomspace(0.7, 1.4, 9)
BEGINS = 5  # times at which a cosine may start
EXPONENTS = (0.4, 0.5, 0.7, 0.9, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0)
HALVED = (0.5,)  # the factor in one length of an exponential
DECAYS = (0.3, 0.5, 1.0, 2.0)
FEW = 0.1  # of the rows
MOST_STEPS = 24  # of least squares


@dataclass(frozen=True)
class CurveFamily:
    """Curves of one shape, or of a family of shapes with one exponent or any.

    floor: whether they may end above 0. last_resort: tried where no other curve fits, since it fits nearly anything.
    """

    shape: shapes.Shape | ShapeFamily
    exponents: tuple[float, ...] = ()
    floor: bool = False
    last_resort: bool = False


COSINE = CurveFamily(shapes.cosine, floor=True)
LINE = CurveFamily(shapes.linear)
CURVES = (
    LINE,
    CurveFamily(shapes.exponential, HALVED),
    CurveFamily(shapes.inverse_power, (0.5,)),
    CurveFamily(shapes.inverse_power, (1.0,)),
    CurveFamily(shapes.power, (2.0,), True),
    CurveFamily(root, (2.0,)),
    CurveFamily(shapes.power, (0.5,), True),
    CurveFamily(root, (0.5,)),
    COSINE,
    CurveFamily(shapes.exponential, HALVED, True, last_resort=True),
    CurveFamily(shapes.power, EXPONENTS, last_resort=True),
    CurveFamily(shapes.inverse_power, DECAYS, last_resort=True),
    CurveFamily(shapes.power, EXPONENTS, True, last_resort=True),
    CurveFamily(root, EXPONENTS, last_resort=True),
    CurveFamily(shapes.inverse_power, DECAYS, True, last_resort=True),
)


def fitted(family: CurveFamily, rows: LogRows, since: float) -> Model | None:
    """The curve of a family through rows, as a model of one part, or None; since: from when on it may start."""
    numbers = 2 + family.floor + (family.shape in (shapes.cosine, root)) + (len(family.exponents) > 1)
    if len(rows.u) <= numbers or (model := _guess(family, rows, since)) is None:
        return None
    if fit(model, rows, MOST_STEPS) <= LOOSE:
        return model
    # Once more with the rows that were missed, if these are few
    few = (np.abs(rows.off(model)) > LOOSE).sum() <= FEW * len(rows.u)
    return model if few and fit(model, rows, MOST_STEPS) <= LOOSE else None


def _guess(family: CurveFamily, rows: LogRows, since: float) -> Model | None:
    """The curve with the smallest residual on a subsample of rows, over a grid of times and exponents."""
    some = rows.only(np.unique(np.linspace(0, len(rows.u) - 1, SEARCHED).astype(int)))
    found = []
    # Exponents and ends that give much the same rates are one long valley: each exponent gets its own best end
    for exponent in family.exponents or (1.0,):
        if coarse := _nearest(family, exponent, some, since, OUTSIDE):
            found += [coarse, _nearest(family, exponent, some, since, coarse[1] * FINER) or coarse]
    nearest = min(found, default=(np.inf,))
    return _as_model(family, *nearest[2:]) if nearest[0] <= HOPELESS * float(np.ptp(rows.y)) else None


def _nearest(
    family: CurveFamily, exponent: float, rows: LogRows, since: float, outside: Array
) -> tuple[float, ...] | None:
    """The residual and the distance outside the rows of the nearest curve; its exponent, begin, end and two values."""
    u, y = rows.u, rows.y
    weight = np.minimum(1 / rows.tolerance, 10 / rows.tolerance.max())  # a guess must be near the large rates too
    begins, ends, outside = _times(family, u, since, outside)
    spend(0.1 + 0.003 * len(begins))
    length = (ends - begins)[:, None]
    done, left = (u - begins[:, None]) / length, (ends[:, None] - u) / length
    shape = family.shape if isinstance(family.shape, shapes.Shape) else family.shape(exponent)
    if not shape.endless:
        done, left = np.clip(done, 0, 1), np.clip(left, 0, 1)
    columns = [shape.fall(done, left, np)]
    if family.floor or family.shape in (root, shapes.linear):  # the value at the end is a number of its own
        columns.append(shape.rise(done, left, np))
    scaled = np.stack(columns, -1) * weight[:, None]
    q = np.linalg.qr(scaled / np.maximum(np.abs(scaled).max(1, keepdims=True), 1e-300))[0]
    off = y * weight - np.einsum("gnk,gk->gn", q, np.einsum("gnk,n->gk", q, y * weight))
    worst = (np.abs(off) / weight).max(1)
    if not np.isfinite(worst[i := int(np.argmin(np.where(np.isfinite(worst), worst, np.inf)))]):
        return None
    values = [*np.linalg.lstsq(scaled[i], y * weight, rcond=None)[0].tolist(), 0.0]
    return float(worst[i]), float(outside[i]), exponent, float(begins[i]), float(ends[i]), values[0], values[1]


def _times(family: CurveFamily, u: Array, since: float, outside: Array) -> tuple[Array, Array, Array]:
    """The starts and ends to try, so many lengths of the rows outside; an exponential ends at half its value."""
    first, last, span = float(u[0]), float(u[-1]), float(u[-1] - u[0])
    if family.shape is shapes.cosine:
        begins, outside = (each.ravel() for each in np.meshgrid(np.linspace(since, first, BEGINS), outside))
        return begins, last + span * outside, outside
    if family.shape is root:
        return first - span * outside, np.full(len(outside), last), outside
    begins = np.full(len(outside), first)
    if family.shape in (shapes.exponential, shapes.inverse_power):
        return begins, first + span * np.maximum(outside, 1e-3), outside
    return begins, last + span * outside * (family.shape is not shapes.linear), outside


def _as_model(
    family: CurveFamily, exponent: float, begin: float, end: float, first: float, last: float
) -> Model | None:
    if family.shape in (shapes.linear, root):  # through all rows, and on to 0
        if first <= max(last, 0):
            return None
        end, last = begin + (end - begin) * (first / (first - last)) ** (1 / exponent), 0.0
    model = Model()
    at = until = model.slot(begin, "time", fixed=family.shape not in (shapes.cosine, root))
    extra: int | None = None
    if family.shape is shapes.exponential:
        extra = model.slot(0.5 ** (1 / (end - begin)), "extra")
    else:
        until = model.slot(end, "time")
        if family.exponents:
            extra = model.slot(exponent, "extra", fixed=len(family.exponents) == 1)
    values = model.slot(first, "value"), model.slot(last, "value", fixed=not family.floor)
    model.parts.append(FittedPart(family.shape, at, at, until, *values, extra))
    return model


@dataclass(frozen=True, eq=False)
class Outline:
    """Rows 0..top - 1 rise, top..fall - 1 are the greatest, fall..rest - 1 fall, and those from rest on are the least.

    Those may lie on the curve of the fall, or after its end.
    """

    rows: LogRows
    top: int
    fall: int
    rest: int

    @property
    def peak(self) -> float:
        return float(self.rows.y[self.top])

    @property
    def only_rises(self) -> bool:
        """Whether the last row is the greatest of several: the rate may have risen further."""
        return 0 < self.top == len(self.rows.u) - 1

    def curve(self, family: CurveFamily) -> Model | None:
        """The curve of a family through the rows that fall, or through those that rise where none fall."""
        first, stop = (0, self.top + 1) if self.only_rises else (self.fall, self.rest)
        before = self.top - 1 if self.top and not self.only_rises else 0
        since = float(self.rows.u[before]) if before else min(0.0, float(self.rows.u[0]))
        return fitted(family, self.rows.only(np.arange(first, stop)), since)

    def rests(self, curve: Model) -> bool:
        """Whether the last rows no longer follow the curve of the fall."""
        rows = self.rows.only(np.arange(self.rest, len(self.rows.u)))
        near = curve(rows.u)
        step = abs(float(self.rows.y[self.rest - 1]) - near)  # a first guess is no nearer than a part of that
        return bool((np.abs(near - rows.y) > LOOSE * rows.tolerance + A_PART * step).any())


def outline(rows: LogRows) -> Outline | None:
    """The outline of rates that rise once and then fall, or do one of both; None of others."""
    way, n = ways(rows), len(rows.u)
    falling, rising = np.flatnonzero(way < 0), np.flatnonzero(way > 0)
    if len(rising) and len(falling) and rising[-1] > falling[0]:
        return None
    fall, rest = (int(falling[0]) + 1, int(falling[-1]) + 1) if len(falling) else (n, n)
    return Outline(rows, int(rising[-1]) + 1 if len(rising) else 0, fall, rest)


def ways(rows: LogRows) -> NDArray[np.int64]:
    """Whether the rate rises (1), falls (-1) or stays from each row to the next, as far as digits tell."""
    # Two rates printed with half a digit of tolerance may differ by a whole one and still be equal
    change, doubt = np.diff(rows.y), rows.tolerance[1:] + rows.tolerance[:-1]
    return np.where(np.abs(change) > LEAST_CHANGE * doubt, np.sign(change), 0).astype(np.int64)
