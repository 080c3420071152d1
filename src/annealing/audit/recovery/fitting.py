"""A model fitted to rows, how far each of its numbers is determined by them, and how much a search may work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .model import Array, Model

MOST_ROWS = 240
MOST_STEPS = 16  # of least squares
CONVERGED = 0.01  # of the tolerance: no row can tell a smaller residual from none
FAR = 1e100  # what a residual is at most, so that its square is still a number
MISSED = 12  # rows that are looked at besides, where a fit misses them
AGAIN = 3  # least squares, the rows that they miss taken in
ROUNDS = 6  # of linear programs, likewise
NEARLY = 1.3  # of the tolerance: how far off a fit may be before its numbers are plain
WITHIN_REACH = 12.0  # of the tolerance: no nearest fit is sought where the least squares are further off

_left: ContextVar[float] = ContextVar("left", default=float("inf"))


class Exhausted(Exception):
    """The work that a search may do is done."""


@contextmanager
def limited(most: float) -> Iterator[None]:
    """Within it `spend` ends the search after so much work, or after what is left of that around it."""
    around = _left.get()
    token = _left.set(min(most, around))
    try:
        yield
    finally:
        spent = min(most, around) - _left.get()
        _left.reset(token)
        _left.set(around - spent)


def spend(work: float) -> None:
    """Count work: 1 for a step of a fit, about a millisecond; not in seconds, so that a log has one answer anywhere."""
    left = _left.get() - work
    _left.set(left)
    if left < 0:
        raise Exhausted


class LogRows:
    """Rows of a log, of which a fit looks at enough of them, and the size of its rates."""

    def __init__(self, u: Array, y: Array, tolerance: Array, peak: float = 0.0) -> None:
        self.u, self.y, self.tolerance = u, y, tolerance
        self.peak = peak or float(np.abs(y).max(initial=0)) or 1.0
        self.missed: set[int] = set()

    def some(self, model: Model) -> LogRows:
        """Rows at even distances, those around the starts of parts, and those that an earlier fit missed."""
        n = len(self.u)
        if n <= MOST_ROWS:
            return self
        edges = np.searchsorted(self.u, model.starts())
        near = (edges[:, None] + np.arange(-3, 4)).ravel()
        # Even rows find the curve, those near starts find where it changes, missed ones what both overlooked
        even = np.linspace(0, n - 1, MOST_ROWS).astype(int)
        return self.only(np.unique(np.clip(np.concatenate([near, even, sorted(self.missed)]), 0, n - 1).astype(int)))

    def thinned(self, most: int) -> LogRows:
        """About so many of the rows, the ends of long equal stretches among them."""
        n, change = len(self.u), np.flatnonzero(np.diff(self.y) != 0)
        if n <= most:
            return self
        edges = np.concatenate([change, change + 1]) if len(change) <= most // 4 else np.array([], int)
        return self.only(np.unique(np.concatenate([edges, np.linspace(0, n - 1, most).astype(int)])))

    def later(self, by: Any) -> LogRows:
        """The same rates at times that are later by so much."""
        return LogRows(self.u + by, self.y, self.tolerance, self.peak)

    def within(self, tolerance: Array) -> LogRows:
        """The same rates with another tolerance."""
        return LogRows(self.u, self.y, tolerance, self.peak)

    def only(self, rows: NDArray[np.integer[Any]]) -> LogRows:
        return LogRows(self.u[rows], self.y[rows], self.tolerance[rows], self.peak)

    def off(self, model: Model, numbers: list[float] | None = None) -> Array:
        """The residuals in units of the tolerance."""
        with np.errstate(all="ignore"):
            result = (self.y - model(self.u, numbers)) / self.tolerance
        return np.where(np.isfinite(result), result, 1e300)

    def worst(self, model: Model) -> float:
        """The worst residual; the rows that are missed by more than the tolerance are looked at from now on."""
        off = np.abs(self.off(model))
        missed = np.flatnonzero(off > 1)
        if len(missed) and len(self.u) > MOST_ROWS:
            self.missed |= set(missed[np.argsort(off[missed])[-MISSED:]].tolist())
        return float(off.max(initial=0))


def jacobian(model: Model, free: list[int], rows: LogRows) -> Array:
    """The change of every rate with every free number; only the parts that use a number are looked at."""
    spend(0.2 * len(free))
    result = np.zeros((len(rows.u), len(free)))
    which = np.searchsorted(model.starts()[1:], rows.u, "right")
    # Central differences lose the square of the step and a rounding over it: 1e-6 balances both
    steps = {"time": 1e-6 * max(float(rows.u[-1] - rows.u[0]), 1.0), "value": 1e-6 * rows.peak}
    for column, slot in enumerate(free):
        step = steps.get(model.roles[slot]) or 1e-7 * max(abs(model.numbers[slot]), 1e-3)
        moving = {slot, *(tied for tied, terms in model.ties.items() if slot in terms)}
        used = [i for i, part in enumerate(model.parts) if moving.intersection(part.slots())]
        used += [i - 1 for i in used if i and model.parts[i].start in moving]
        # Rows of other parts do not move: computing them would take most of the time of long models
        near = np.flatnonzero(np.isin(which, used))
        some = rows.only(near)
        below, above = (some.off(model, model.moved([slot], [model.numbers[slot] + by])) for by in (-step, step))
        result[near, column] = (below - above) / (2 * step)
    return result


class Converged(Exception):
    """Every residual is far within its tolerance."""


def fit(model: Model, rows: LogRows, most: int = MOST_STEPS) -> float:
    """Move the free numbers to the least squares; the worst residual in units of the tolerance."""
    from scipy.optimize import least_squares

    free, some = model.free(), rows.some(model)
    start = [model.numbers[slot] for slot in free]

    def off(values: Array) -> Array:
        spend(0.1)
        moved = model.moved(free, values)
        residuals = np.clip(some.off(model, moved), -FAR, FAR)
        if np.abs(residuals).max(initial=0) < CONVERGED:
            model.numbers = moved
            raise Converged
        return residuals

    def slopes(values: Array) -> Array:
        model.numbers = model.moved(free, values)
        return -jacobian(model, free, some)

    # `xtol` of float64 itself: with 17 digits the rows tell the last of them
    options: dict[str, Any] = {"xtol": 1e-15, "ftol": 1e-4, "gtol": 1e-15, "max_nfev": most}
    try:
        if free:
            best = least_squares(off, np.array(start), slopes, method="lm", x_scale="jac", **options).x
            model.numbers = model.moved(free, best)
    except Converged:
        pass
    except ValueError:  # a Jacobian with infinities: the guess was far off
        model.numbers = model.moved(free, start)
    return rows.worst(model)


def fits(model: Model, rows: LogRows, within: float = 1.0) -> bool:
    """Whether every row can be within its tolerance, or `within` times it; the model's free numbers are moved there."""
    for _ in range(AGAIN):
        known = len(rows.missed)
        if fit(model, rows) <= within:
            return True
        if len(rows.missed) == known:
            break
    return evenly(model, rows) <= within


def evenly(model: Model, rows: LogRows) -> float:
    """From the least squares on to where the worst residual is least, which rounded rates need; that residual.

    By linear programming, with the rows that it misses taken in.
    """
    worst = rows.worst(model)
    for _ in range(ROUNDS):
        if not 1 < worst < WITHIN_REACH or (near := _nearby(model, rows)) is None:
            break
        found = near.least(np.eye(len(near.free) + 1)[-1], 1e3, None)
        if found is None:
            break
        before, known = model.numbers, len(rows.missed)
        model.numbers = model.moved(near.free, found)
        new = rows.worst(model)
        # The rows are linear in small changes only: a step that made it worse was too long
        if new >= worst:
            model.numbers = before
            if len(rows.missed) == known:
                break
        worst = min(worst, new)
    return worst


def intervals(model: Model, rows: LogRows, only: int | None = None) -> dict[int, tuple[float, float]]:
    """Bounds of each free number, the others moving along, while every row stays within its tolerance.

    only: one slot, or all. By linear programming at the present numbers: rows are linear in small changes. Empty where
    no numbers fit.
    """
    if (near := _nearby(model, rows)) is None:
        return {}
    worst = 1.001 * float(np.abs(near.residual).max())
    # Rows on the very edge of their last digit leave hardly any room, which rounding in the program may take away
    for within in (1.0, worst) if 1 < worst < NEARLY else (1.0,):
        found = {}
        for i, slot in enumerate(near.free):
            if only in (None, slot):
                aim = np.eye(len(near.free) + 1)[i]
                low, high = near.least(aim, 1e4, within), near.least(-aim, 1e4, within)
                if low is None or high is None:
                    break
                found[slot] = (float(low[i]), float(high[i]))
        else:
            return found
    return {}


def around(model: Model, rows: LogRows) -> dict[int, tuple[float, float]]:
    """As `intervals`, without a search and wider: how far least squares move when each row moves by its tolerance."""
    if (near := _nearby(model, rows)) is None:
        return {}
    reach = np.abs(np.linalg.pinv(near.columns, rcond=1e-11)).sum(1) / near.norms
    low, high = (near.numbers - reach).tolist(), (near.numbers + reach).tolist()
    return dict(zip(near.free, zip(low, high, strict=True), strict=True))


class Nearby(NamedTuple):
    """How residuals change around the numbers of a model: linearly, by columns of one length.

    Times, rates and exponents differ by ten powers of ten: so they are compared fairly.
    """

    free: list[int]
    numbers: Array
    residual: Array
    columns: Array
    norms: Array

    def least(self, aim: Array, reach: float, within: float | None) -> Array | None:
        """The numbers for which a linear aim is least, of steps up to a reach while no residual is worse than `within`.

        The last number of the aim is for the worst residual. None where there are none.
        """
        from scipy.optimize import linprog

        spend(3.0)
        # Without a reach a number that no row depends on would go to infinity
        one, far = np.ones((len(self.residual), 1)), reach * np.sqrt(len(self.residual))
        sides = np.block([[-self.columns, -one], [self.columns, -one]])
        bounds = [*[(-far, far)] * len(self.free), (0, within)]
        solved = linprog(aim, sides, np.append(-self.residual, self.residual), bounds=bounds, method="highs")
        return self.numbers + solved.x[:-1] / self.norms if solved.status == 0 else None


def _nearby(model: Model, rows: LogRows) -> Nearby | None:
    free, some = model.free(), rows.some(model)
    columns = jacobian(model, free, some)
    if not free or not np.isfinite(columns).all() or np.abs(columns).max(initial=0) > 1e200:
        return None
    norms = np.linalg.norm(columns, axis=0)
    norms[norms == 0] = 1
    return Nearby(free, np.array([model.numbers[slot] for slot in free]), some.off(model), columns / norms, norms)
