"""Schedules of an optimizer's hyperparameters: read from arguments, evaluated for every group, written into it."""

from __future__ import annotations

import heapq
import math
import numbers
import operator
import sys
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import Any

from torch import Tensor

from ..cycles import snapshot_starts
from ..errors import ScheduleError, finite
from ..notation import parse
from ..recipes import constant
from ..schedule.base import Schedule
from .blocks import BLOCK, Ahead
from .groups import Groups
from .writer import Writer, entry, writer

Given = Schedule | list[Schedule | None]  # one for all groups, or one for each; None leaves a group alone

MOST = sys.float_info.max
NOT_NEGATIVE = (0.0, MOST, "a finite number of at least 0")
RANGES = {
    **dict.fromkeys(("lr", "weight_decay", "momentum", "eps"), NOT_NEGATIVE),
    "betas": (0.0, math.nextafter(1, 0), "at least 0 and below 1"),
}
ANY = (-MOST, MOST, "a finite number")
SCALES = ("base", "lr_scale")
CYCLES_CHECKED = 20  # before training starts; the ends of later cycles are checked as they come


class Hyperparameter:
    """A number that every group has (`index`: which one, if the group holds several), and the schedule it follows.

    schedules: one for all groups, or a list with one for each (None leaves that group alone). scale: None, or the
    factor for each group's value: "base" is the value that the group had before any schedule, "lr_scale" the group's
    entry of that name. bases: with "base", those of a saved state, which override the groups'.
    """

    def __init__(
        self, name: str, index: int | None, schedules: Given, scale: str | None, bases: list[float] | None = None
    ) -> None:
        self.name, self.index, self.schedules, self.scale = name, index, schedules, scale
        self.key = name if index is None else f"{name}[{index}]"
        self.listed = isinstance(schedules, list)
        each = schedules if isinstance(schedules, list) else [schedules]
        self.mine = [i for i, schedule in enumerate(each) if schedule is not None] if None in each else None
        self._followed = [schedule for schedule in each if schedule is not None]
        self._ahead = Ahead(self._followed)
        self.distinct = self._ahead.schedules
        self.range = RANGES.get(name, ANY)
        self.factor_key = f"initial_{self.key}" if scale == "base" else "lr_scale"
        self.bases: list[float] = []  # by group, as far as known
        self._restored = bases
        self._known_factors: tuple[list[Any], list[float]] = ([], [])
        self._writer: Writer | None = None
        self._safe = False
        self._ranged: list[float] | None = None

    def __reduce__(self) -> Any:
        # A copy must make its own writer and read the factors of its own groups.
        given = (self.name, self.index, self.schedules, self.scale, self._restored)
        return Hyperparameter, given, {"bases": self.bases}

    def following(self, schedules: Given) -> Hyperparameter:
        """The same hyperparameter under other schedules."""
        other = Hyperparameter(self.name, self.index, schedules, self.scale)
        other.bases = self.bases
        return other

    def of(self, groups: Groups) -> Groups:
        """The groups that follow a schedule."""
        return groups if self.mine is None else [groups[i] for i in self.mine]

    def of_group(self, number: int) -> Schedule:
        """The schedule of a group, by its number among those that follow one."""
        return self._followed[number if isinstance(self.schedules, list) else 0]

    def of_all(self, position: float, groups: Groups) -> list[float | None]:
        """The value at this position of every group; None for a group that is left alone."""
        values = self.values(position, groups)
        if self.mine is None:
            return [*values]
        found = dict(zip(self.mine, values, strict=True))
        return [found.get(i) for i in range(len(groups))]

    def values(self, position: float, all_groups: Groups, now: float = 0) -> list[float]:
        """The value at this position for every group that follows a schedule, checked against its range.

        now: the position whose values the groups hold at present.
        """
        if self.listed:
            self._count(all_groups)
        groups = all_groups if self.mine is None else self.of(all_groups)  # a call is a tenth of a step
        place, factors = position - self._ahead.begin, None if self.scale is None else self.factors(groups, now)
        # If the extremes of a block are in range, so is each of its values, until the factors change.
        if type(place) is not int or not 0 <= place < BLOCK or factors is not self._ranged:
            least, most, _ = self.range
            self._safe = self._ahead.within(position, least, most, [1.0, *(factors or ())])
            self._ranged = factors
        values = self._ahead.values(position, len(groups))
        if not self._safe:
            self._checked(values, position)
        if factors is not None:
            values = list(map(operator.mul, values, factors))
            if not self._safe:
                self._checked(values, position)
        return values

    def check(self, groups: Groups) -> None:
        """Refuse schedules whose cycles start or end out of range, and groups that cannot be scaled."""
        self._count(groups)
        factors = {1.0} if self.scale is None else set(self.factors(self.of(groups)))
        for schedule in self.distinct:
            for cycle in islice(schedule.cycles(), CYCLES_CHECKED):
                self._checked([cycle.first * factor for factor in factors], cycle.start)
                self._checked([cycle.last * factor for factor in factors], cycle.end)

    def write(self, values: list[float], all_groups: Groups) -> None:
        """Write the values: numbers are replaced, tensors filled in place."""
        groups = all_groups if self.mine is None else self.of(all_groups)
        if self.scale == "base" and (self._restored or None in self._known_factors[0]):
            self._restored = None
            for group, factor in zip(groups, self._known_factors[1], strict=True):
                group[self.factor_key] = factor
        if self._writer is None or not self._writer.fits(groups):
            same = self.scale is None and len(self.distinct) == 1
            self._writer = writer(groups, self.name, self.index, same, merge=True)
        self._writer.write(groups, values)

    def _count(self, groups: Groups) -> None:
        if isinstance(self.schedules, list) and len(self.schedules) != len(groups):
            raise ScheduleError(
                f"{self.name} must have one schedule for each of the {len(groups)} parameter groups, got "
                f"{len(self.schedules)}; for a group added later call scheduler.add_group({self.name}=...)"
            )

    def _checked(self, values: list[float], position: float) -> None:
        least, most, allowed = self.range
        for value in values:
            if not least <= value <= most:
                many = ", ".join(map(str, self.distinct))
                raise ScheduleError(f"{self.key} must be {allowed}, got {value!r} at {position!r} from {many}")

    def factors(self, groups: Groups, now: float = 0) -> list[float]:
        """The factor of each group, read again if a group holds another object than before."""
        key = self.factor_key
        found = [group.get(key) for group in groups]
        known, factors = self._known_factors
        if len(known) != len(found) or any(map(operator.is_not, found, known)):
            factors = [self._factor(i, group, found[i], now) for i, group in enumerate(groups)]
            self._known_factors = found, factors
            self.bases = factors if self.scale == "base" else []
        return factors

    def _factor(self, i: int, group: dict[str, Any], given: Any, now: float) -> float:
        if self._restored and i < len(self._restored):
            return self._restored[i]
        if given is not None:
            return _number(given, self.factor_key)
        if self.scale == "lr_scale":
            return 1.0
        if i < len(self.bases):  # the optimizer has loaded a state without it: a sharded one keeps no initial_lr
            return self.bases[i]
        held = _number(entry(group, self.name, self.index), self.key)
        if not self.bases:
            return held
        # A group added during training brings the rate that it should have now, so its base is the rate before the
        # decay. If the schedule is 0 now, no base gives that rate, and the group's rate itself becomes the base.
        return held / (self.of_group(i)(now) or 1.0)


def lr_schedules(steered: list[Hyperparameter]) -> list[Schedule]:
    """The different schedules of the learning rate."""
    return [schedule for one in steered if one.name == "lr" for schedule in one.distinct]


class Snapshots:
    """The times at which a cycle of lr ends, found as training proceeds: each cycle is examined once."""

    def __init__(self, steered: list[Hyperparameter]) -> None:
        self._steered = steered
        self._coming = heapq.merge(*map(_ends, lr_schedules(steered)))
        self._known: float = 0
        self._found: list[float] = []

    def __reduce__(self) -> Any:
        return Snapshots, (self._steered,)

    def within(self, after: float, until: float) -> bool:
        """Whether a snapshot lies in (after, until]."""
        while self._known <= until:
            self._known, kept = next(self._coming, (math.inf, False))
            if kept:
                self._found.append(self._known)
        return bisect_right(self._found, until) > bisect_right(self._found, after)


def _ends(schedule: Schedule) -> Iterator[tuple[float, bool]]:
    """When each cycle ends, and whether to keep the model from there."""
    yield from snapshot_starts(schedule.cycles())
    if schedule.duration is not None:
        yield schedule.duration, True


def _number(value: Any, name: str) -> float:
    return finite(value.item() if isinstance(value, Tensor) else value, name)


def read(lr: Any, others: dict[str, Any], scale: Any, groups: Groups) -> list[Hyperparameter]:
    """The hyperparameters that the arguments of a scheduler give schedules for, checked on these groups."""
    given = others if lr is None else {"lr": lr, **others}
    if not given:
        raise ScheduleError(f"a schedule must be given for at least one of {', '.join(known(groups))}")
    # A single word is the scale of lr.
    scales = scale if isinstance(scale, dict) else {} if scale in (None, ...) else {"lr": scale}
    for name, word in scales.items():
        if name not in given:
            raise ScheduleError(f"scale names {name!r}, which has no schedule, got {scale!r}")
        if word not in SCALES:
            raise ScheduleError(f"scale must be None, 'base' or 'lr_scale', got {word!r} for {name}")
    found = [one for name in given for one in _read_one(name, given[name], scales.get(name), groups)]
    for one in found:
        one.check(groups)
    return found


def _read_one(name: str, given: Any, scale: str | None, groups: Groups) -> list[Hyperparameter]:
    each = given if isinstance(given, list) else [given] * len(groups)
    followed = [(one, group) for one, group in zip(each, groups, strict=False) if one is not None]
    if not followed:
        raise ScheduleError(f"{name} must have one schedule for each parameter group, not only None, got {given!r}")
    holding = [group for _, group in followed]
    if name not in known(holding):
        few = "" if len(holding) == len(groups) else " that has a schedule"
        names = ", ".join(known(holding))
        raise ScheduleError(f"{name!r} is not a hyperparameter of every group{few}; these are: {names}")
    columns = [None if one is None else read_value(name, one, holding[0][name]) for one in each]
    forms = [column.keys() for column in columns if column is not None]
    if any(form != forms[0] for form in forms):
        raise ScheduleError(f"{name} must be given in the same form for every group, got {given!r}")
    found = []
    for index in forms[0]:
        schedules = [None if column is None else column[index] for column in columns]
        one = schedules if isinstance(given, list) else schedules[0]
        assert one is not None
        found.append(Hyperparameter(name, index, one, scale))
    return found


def read_value(name: str, given: Any, held: Any) -> dict[int | None, Schedule]:
    """The schedule of a group, by index if the group holds several numbers."""
    if not isinstance(held, tuple | list):
        return {None: _schedule(name, given)}
    each = given if isinstance(given, tuple) else (given,)
    if not 0 < len(each) <= len(held):
        raise ScheduleError(f"{name} must be at most {len(held)} schedules or numbers, got {given!r}")
    return {index: _schedule(f"{name}[{index}]", one) for index, one in enumerate(each)}


def _schedule(name: str, given: Any) -> Schedule:
    if isinstance(given, Schedule):
        return given
    if isinstance(given, numbers.Real) and not isinstance(given, bool):
        return constant(finite(given, name))
    if isinstance(given, str):
        try:
            return parse(given)
        except ScheduleError as error:
            raise ScheduleError(f"{name}: {error}") from None
    raise ScheduleError(
        f"{name} must be a schedule, its notation, a number, or a list with one for each group, got {given!r}"
    )


def warn_if_made_equal(steered: list[Hyperparameter], groups: Groups) -> None:
    """Warn if one schedule would give the same value to groups that differ, and `scale` was not given."""
    for one in steered:
        if isinstance(one.schedules, list) or one.scale is not None or one.index is not None:
            continue
        found = sorted({_number(group.get(f"initial_{one.key}", group[one.name]), one.key) for group in groups})
        layered = one.name == "lr" and any(group.get("lr_scale", 1) != 1 for group in groups)
        if len(found) == 1 and not layered:
            continue
        differ = "have an lr_scale" if layered else f"hold {found[0]:g} to {found[-1]:g}"
        word = '"base"' if one.name == "lr" else f'{{"{one.name}": "base"}}'
        warnings.warn(
            f"{one.name} has one schedule, so all param groups get the same value, but they {differ}. Choose one: "
            f'scale={word} keeps their ratios, scale="lr_scale" multiplies by that entry of each group, a list gives '
            "each group its own schedule, scale=None gives all groups the same value.",
            UserWarning,
            stacklevel=3,
        )


def known(groups: Groups) -> list[str]:
    """The numeric hyperparameters that every group has."""
    return [name for name in groups[0] if all(_numeric(name, group.get(name)) for group in groups)]


def _numeric(name: str, value: Any) -> bool:
    if name == "params" or name.startswith("initial_") or name in SCALES:
        return False
    if isinstance(value, tuple | list):
        return bool(value) and _numeric(name, value[0])
    if isinstance(value, Tensor):
        return value.is_floating_point() and value.numel() == 1
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
