"""Rates written step after step along each group's schedule, as long as they are found as they were written."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..schedule.base import Schedule
from .blocks import BLOCK, block, columns, value
from .groups import Groups, copied, marks, unchanged, write

Method = TypeVar("Method", bound=Callable[..., Any])


def eager(method: Method) -> Method:
    """Keep torch.compile out: what follows is about Python objects and their identity."""
    return torch.compiler.disable(method)  # type: ignore[no-any-return, no-untyped-call]


class Momenta:
    """The momentum (or the first of the betas) that goes beside the rates of groups, each along its schedule."""

    __slots__ = ("begin", "betas", "column", "columns", "one", "schedules")

    def __init__(self, schedules: list[Schedule], betas: bool) -> None:
        self.schedules, self.betas = schedules, betas
        self.one = len(set(schedules)) == 1 and not betas
        self.begin = -BLOCK

    def write(self, groups: Groups, time: int) -> None:
        place = time - self.begin
        if not 0 <= place < BLOCK:
            number, place = divmod(time, BLOCK)
            self.begin, self.columns = number * BLOCK, columns(self.schedules, number)
            self.column = self.columns[0]
        if self.one:
            momentum = self.column[place]
            for group in groups:
                group["momentum"] = momentum
        elif self.betas:
            for group, column in zip(groups, self.columns):  # noqa: B905
                group["betas"] = (column[place], *group["betas"][1:])
        else:
            for group, column in zip(groups, self.columns):  # noqa: B905
                group["momentum"] = column[place]


class Course:
    """The rates of groups of any kind: numbers are replaced, tensors filled."""

    __slots__ = ("begin", "beside", "group", "schedules", "until", "written")

    def __init__(self, schedules: list[Schedule], groups: Groups) -> None:
        self.schedules = schedules
        self.group = groups[0]
        self.beside: Momenta | None = None
        self.until = math.inf  # the last step that can follow
        self.begin = -BLOCK  # of the block in use: none yet
        self.written: Any = None

    def holds(self, groups: Groups) -> bool:
        """Whether the groups hold what was written last: the same objects, and tensors in the same version."""
        return unchanged(self.written, [group["lr"] for group in groups])

    def replaced(self, groups: Groups) -> bool:
        """Whether the groups are other ones, as after a state was loaded into the optimizer."""
        return groups[0] is not self.group

    @eager
    def advance(self, state: dict[str, Any], time: int) -> bool:
        """Write the rates of the next step, also into a scheduler's `__dict__`, if the groups hold the last ones."""
        groups = state["optimizer"].param_groups
        if held := self.holds(groups):
            state["_last_lr"] = self.write(groups, time)
        return held

    def write(self, groups: Groups, time: float) -> list[Any]:
        """Write the rates of a time, and return copies of them."""
        write(groups, [value(schedule, time) for schedule in self.schedules])
        found = [group["lr"] for group in groups]
        self.written = marks(found)
        return copied(found)

    def _place(self, time: float) -> int | None:
        """Where a time is in its block, which is made if it is another one; None between two steps."""
        if type(time) is not int or time < 0:
            return None
        self.begin = time - time % BLOCK
        self._turn(time // BLOCK)
        return time % BLOCK

    def _turn(self, number: int) -> None:
        """Make a block ready."""


class Numbers(Course):
    """The rates of groups that all hold Python numbers."""

    __slots__ = ("columns",)

    def advance(self, state: dict[str, Any], time: int) -> bool:
        groups = state["optimizer"].param_groups
        if held := self.holds(groups):
            state["_last_lr"] = self.write(groups, time)
        return held

    def holds(self, groups: Groups) -> bool:
        for group, mine in zip(groups, self.written):  # noqa: B905 (a strict one takes longer)
            if group["lr"] is not mine:
                return False
        return len(groups) == len(self.schedules)

    def write(self, groups: Groups, time: float) -> list[Any]:
        place: Any = time - self.begin
        if type(time) is not int or not 0 <= place < BLOCK:
            place = self._place(time)
        if place is None:
            rates = [value(schedule, time) for schedule in self.schedules]
        else:
            rates = [column[place] for column in self.columns]
        for group, rate in zip(groups, rates):  # noqa: B905
            group["lr"] = rate
        self.written = rates
        return rates.copy()

    def _turn(self, number: int) -> None:
        self.columns = columns(self.schedules, number)


class OneNumber(Course):
    """The rate of groups that all hold Python numbers and follow one schedule."""

    __slots__ = ("column",)

    def advance(self, state: dict[str, Any], time: int) -> bool:
        groups = state["optimizer"].param_groups
        count, place, mine = len(groups), time - self.begin, self.written
        if place >= BLOCK or count != len(self.schedules):
            return super().advance(state, time)
        if count == 1:
            group = groups[0]
            if group["lr"] is not mine:
                return False
            self.written = group["lr"] = rate = self.column[place]
            state["_last_lr"] = [rate]
            return True
        for group in groups:
            if group["lr"] is not mine:
                return False
        self.written = rate = self.column[place]
        for group in groups:
            group["lr"] = rate
        state["_last_lr"] = [rate] * count
        return True

    def holds(self, groups: Groups) -> bool:
        mine = self.written
        for group in groups:
            if group["lr"] is not mine:
                return False
        return len(groups) == len(self.schedules)

    def write(self, groups: Groups, time: float) -> list[Any]:
        place: Any = time - self.begin
        if type(time) is not int or not 0 <= place < BLOCK:
            place = self._place(time)
        rate = value(self.schedules[0], time) if place is None else self.column[place]
        for group in groups:
            group["lr"] = rate
        self.written = rate
        return [rate] * len(groups)

    def _turn(self, number: int) -> None:
        self.column = block(self.schedules[0], number)


class Tensors(Course):
    """The rates of groups that all hold scalar tensors of one type on one device: a block is a tensor there."""

    __slots__ = ("different", "rows", "tensors", "versions", "which")

    def __init__(self, schedules: list[Schedule], groups: Groups) -> None:
        super().__init__(schedules, groups)
        self.different = list(dict.fromkeys(schedules))
        self.which = [self.different.index(schedule) for schedule in schedules]
        self.tensors = [group["lr"] for group in groups]
        self.versions = [tensor._version for tensor in self.tensors]

    def holds(self, groups: Groups) -> bool:
        for group, mine in zip(groups, self.tensors):  # noqa: B905
            if group["lr"] is not mine:
                return False
        return len(groups) == len(self.tensors) and [tensor._version for tensor in self.tensors] == self.versions

    def write(self, groups: Groups, time: float) -> list[Any]:
        place: Any = time - self.begin
        if type(time) is not int or not 0 <= place < BLOCK:
            place = self._place(time)
        if place is None:
            row = self._tensor([[value(schedule, time)] for schedule in self.different])[0]
        else:
            row = self.rows[place].clone()  # a checkpoint would hold the block of a view
        rates = row.unbind() if len(self.different) > 1 else [row[0]]
        last = [rates[i] for i in self.which]
        torch._foreach_copy_(self.tensors, last)
        self.versions = [tensor._version for tensor in self.tensors]
        return last

    def _turn(self, number: int) -> None:
        self.rows = self._tensor([block(schedule, number) for schedule in self.different])

    def _tensor(self, columns: list[list[float]]) -> Tensor:
        like = self.tensors[0]
        return torch.tensor(list(zip(*columns, strict=True)), dtype=like.dtype, device=like.device)


def course(schedules: list[Schedule], groups: Groups) -> Course:
    """The rates of these groups, each along its schedule."""
    kinds = {
        (rate.dtype, rate.device, rate.shape) if isinstance(rate, Tensor) else None
        for rate in (group["lr"] for group in groups)
    }
    if kinds == {None}:
        return (OneNumber if len(set(schedules)) == 1 else Numbers)(schedules, groups)
    if len(kinds) == 1 and all(rate.ndim == 0 for rate in (group["lr"] for group in groups)):
        return Tensors(schedules, groups)
    return Course(schedules, groups)
