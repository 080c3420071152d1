"""Schedules of an optimizer's hyperparameters: read from arguments, evaluated for every group, written into it."""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Mapping
from itertools import chain, islice
from typing import Any

from torch import Tensor, empty, float64, no_grad, tensor

from .. import lower
from ..errors import ScheduleError, finite
from ..recipes import constant
from ..schedule import Schedule

Groups = list[dict[str, Any]]
Given = Schedule | list[Schedule]  # one for all groups, or one for each

MOST = sys.float_info.max
NOT_NEGATIVE = (0.0, MOST, "a finite number of at least 0")
RANGES = {
    **dict.fromkeys(("lr", "weight_decay", "momentum", "eps"), NOT_NEGATIVE),
    "betas": (0.0, math.nextafter(1, 0), "at least 0 and below 1"),
}
ANY = (-MOST, MOST, "a finite number")
SCALES = ("base", "lr_scale")
RUNS_LOOKED_AT = 1000  # the ends of so many runs are checked before training begins


class Hyperparameter:
    """One number of every group (`index`: its place where the group holds several), and the schedule it follows.

    schedules: one for all groups, or a list with one for each. scale: None, or what each group's value is multiplied
    by: "base", the value that the group had before any schedule, or "lr_scale", the group's own entry of that name.
    """

    def __init__(self, name: str, index: int | None, schedules: Given, scale: str | None) -> None:
        self.name, self.index, self.schedules, self.scale = name, index, schedules, scale
        self.key = name if index is None else f"{name}[{index}]"
        self.distinct = list(dict.fromkeys(schedules)) if isinstance(schedules, list) else [schedules]
        self.which = [self.distinct.index(schedule) for schedule in schedules] if isinstance(schedules, list) else None
        self.range = RANGES.get(name, ANY)
        self._factors_of: tuple[list[Any], list[float]] = ([], [])
        self._places: Places | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_places": None, "_factors_of": ([], [])}

    def following(self, schedules: Given) -> Hyperparameter:
        """The same hyperparameter under other schedules."""
        return Hyperparameter(self.name, self.index, schedules, self.scale)

    def values(self, position: float, groups: Groups) -> list[float]:
        """What every group is to hold at this position, in its range."""
        self._count(groups)
        found = self._checked([schedule(position) for schedule in self.distinct], position)
        values = found * len(groups) if self.which is None else [found[i] for i in self.which]
        if self.scale is None:
            return values
        scaled = [value * factor for value, factor in zip(values, self._factors(groups), strict=True)]
        self._checked(scaled, position)
        return scaled

    def check(self, groups: Groups) -> None:
        """Refuse schedules whose runs begin or end out of range, and groups that cannot be scaled."""
        self._count(groups)
        factors = {1.0} if self.scale is None else set(self._factors(groups))
        for schedule in self.distinct:
            for span in islice(lower.spans(schedule._flat), RUNS_LOOKED_AT):
                run = schedule._span(span)
                self._checked([run.first * factor for factor in factors], run.begin)
                self._checked([run.last * factor for factor in factors], run.end)

    def write(self, values: list[float], groups: Groups) -> None:
        """Write them: numbers are replaced, tensors filled in place."""
        if self.scale == "base":
            for group, factor in zip(groups, self._factors(groups), strict=True):
                group.setdefault(self._factor_key, factor)
        if self.index is not None:
            self._write_parts(values, groups)
            return
        if self._places is None or not self._places.still_in(groups):
            self._places = Places(self.name, groups)
        self._places.write(values, groups, same=self.scale is None and len(self.distinct) == 1)

    def _write_parts(self, values: list[float], groups: Groups) -> None:
        assert self.index is not None
        filled: list[Tensor] = []
        for group, value in zip(groups, values, strict=True):
            parts = list(group[self.name])
            part = parts[self.index]
            parts[self.index] = _filled(part, value, filled) if isinstance(part, Tensor) else value
            group[self.name] = type(group[self.name])(parts)

    def _count(self, groups: Groups) -> None:
        if self.which is not None and len(self.which) != len(groups):
            raise ScheduleError(
                f"{self.name} must have one schedule for each of the {len(groups)} parameter groups, got "
                f"{len(self.which)}; for a group added later call scheduler.add_group({self.name}=...)"
            )

    def _checked(self, values: list[float], position: float) -> list[float]:
        least, most, allowed = self.range
        for value in values:
            if not least <= value <= most:
                many = ", ".join(map(str, self.distinct))
                raise ScheduleError(f"{self.key} must be {allowed}, got {value!r} at {position!r} from {many}")
        return values

    @property
    def _factor_key(self) -> str:
        return f"initial_{self.key}" if self.scale == "base" else "lr_scale"

    def _factors(self, groups: Groups) -> list[float]:
        """What each group's value is multiplied by, read again where a group holds another object than before."""
        found = [group.get(self._factor_key) for group in groups]
        known, factors = self._factors_of
        if len(known) != len(found) or any(a is not b for a, b in zip(found, known, strict=True)):
            factors = [self._factor(group, given) for group, given in zip(groups, found, strict=True)]
            self._factors_of = found, factors
        return factors

    def _factor(self, group: dict[str, Any], given: Any) -> float:
        if given is None:
            if self.scale == "lr_scale":
                return 1.0
            given = group[self.name] if self.index is None else group[self.name][self.index]
        return finite(given.item() if isinstance(given, Tensor) else given, self._factor_key)


class Places:
    """Where the groups hold a hyperparameter.

    Tensors of one type and device become views of one buffer, one for each group, so that one operation writes all of
    them, also where the groups shared a tensor before. A tensor alone of its kind stays the object that it is.
    """

    def __init__(self, name: str, groups: Groups) -> None:
        self.name = name
        self.held: list[Tensor | None] = [_tensor_or_none(group[name]) for group in groups]
        self.numbers = [i for i, held in enumerate(self.held) if held is None]
        kinds: dict[Any, list[int]] = {}
        for i, held in enumerate(self.held):
            if held is not None:
                plain = type(held) is Tensor and not held.requires_grad and held.numel() == 1
                kinds.setdefault((held.device, held.dtype) if plain else i, []).append(i)
        self.alone = [where[0] for where in kinds.values() if len(where) == 1]
        self.buffers: list[tuple[Tensor, list[int]]] = []
        for where in kinds.values():
            if len(where) > 1:
                first = self.held[where[0]]
                assert first is not None
                buffer = empty(len(where), dtype=first.dtype, device=first.device)
                self.buffers.append((buffer, where))
                for j, i in enumerate(where):
                    self.held[i] = groups[i][name] = buffer[j].view(groups[i][name].shape)

    def still_in(self, groups: Groups) -> bool:
        """Whether the groups hold the same tensors, and numbers where they held numbers; no tensor is read."""
        if len(groups) != len(self.held):
            return False
        name = self.name
        for group, held in zip(groups, self.held, strict=True):
            found = group[name]
            if found is not held and (held is not None or (type(found) is not float and isinstance(found, Tensor))):
                return False
        return True

    def write(self, values: list[float], groups: Groups, same: bool) -> None:
        for buffer, where in self.buffers:
            if same:
                buffer.fill_(values[0])
            else:
                buffer.copy_(tensor([values[i] for i in where], dtype=float64), non_blocking=True)
        filled: list[Tensor] = []
        for i in self.alone:
            self.held[i] = groups[i][self.name] = _filled(groups[i][self.name], values[i], filled)
        for i in self.numbers:
            groups[i][self.name] = values[i]


def _filled(place: Tensor, value: float, filled: list[Tensor]) -> Tensor:
    """The tensor with this value, or a copy if it was filled for another group already."""
    with no_grad():
        place = place.clone() if any(place is other for other in filled) else place
        filled.append(place)
        return place.fill_(value)


def _tensor_or_none(value: Any) -> Tensor | None:
    return value if isinstance(value, Tensor) else None


def read(given: Mapping[str, Any], scale: Any, groups: Groups) -> list[Hyperparameter]:
    """The hyperparameters under schedules, from the arguments of a scheduler."""
    if not given:
        raise ScheduleError(f"a schedule must be given for at least one of {', '.join(known(groups))}")
    scales = read_scale(scale, given)
    return list(chain.from_iterable(_read_one(name, given[name], scales.get(name), groups) for name in given))


def read_scale(scale: Any, given: Mapping[str, Any]) -> dict[str, str]:
    """What the values are multiplied by, for each hyperparameter; a word alone is for lr."""
    scales = scale if isinstance(scale, dict) else {} if scale is None else {"lr": scale}
    for name, word in scales.items():
        if name not in given:
            raise ScheduleError(f"scale names {name!r}, for which there is no schedule, got {scale!r}")
        if word not in SCALES:
            raise ScheduleError(f"scale must be None, 'base' or 'lr_scale', for {name} got {word!r}")
    return dict(scales)


def _read_one(name: str, given: Any, scale: str | None, groups: Groups) -> list[Hyperparameter]:
    if name not in known(groups):
        raise ScheduleError(f"{name!r} is no hyperparameter of every group; these are: {', '.join(known(groups))}")
    each = given if isinstance(given, list) else [given]
    if not each:
        raise ScheduleError(f"{name} must have one schedule for each parameter group, got []")
    columns = [read_value(name, one, groups[0][name]) for one in each]
    if any(column.keys() != columns[0].keys() for column in columns):
        raise ScheduleError(f"{name} must be given in the same form for every group, got {given!r}")
    found = []
    for index in columns[0]:
        schedules = [column[index] for column in columns]
        found.append(Hyperparameter(name, index, schedules if isinstance(given, list) else schedules[0], scale))
    return found


def read_value(name: str, given: Any, held: Any) -> dict[int | None, Schedule]:
    """The schedule of a group, or its schedules by place where a group holds several numbers."""
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
    hint = " (annealing.parse reads a notation)" if isinstance(given, str) else ""
    raise ScheduleError(
        f"{name} must be a schedule or a number, or a list with one for each group, got {given!r}{hint}"
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
