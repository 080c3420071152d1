"""The rule of all drop-ins: who wrote the rates last decides whether the exact curve or PyTorch's own step is next."""

from __future__ import annotations

import copy
import math
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

from torch import Tensor
from torch.optim import Optimizer

from ..errors import ScheduleError
from ..exact import END_OF_TIME
from ..schedule.base import Schedule
from .blocks import Ahead, value
from .compat import Updating, forewarn, is_dynamo_compiling
from .groups import Groups, Marks, checked, copied, eager, hold, joined, marks, rates, separate, unchanged
from .writer import writer

Key = tuple[float, ...]


class Curves(NamedTuple):
    """The schedule of every group, and what they were made from; no schedules where PyTorch's steps are taken."""

    arguments: list[Any]
    bases: Marks
    keys: list[Key]
    schedules: list[Schedule] | None
    beside: list[Schedule] | None

    def values(self, time: float) -> list[float] | None:
        if self.schedules is None:
            return None
        different = {schedule: value(schedule, time) for schedule in set(self.schedules)}
        return [different[schedule] for schedule in self.schedules]


class Course:
    """A number of the groups along their schedules, as it was written last and will be next."""

    __slots__ = ("ahead", "beside", "group", "schedules", "until", "writer")

    def __init__(self, schedules: list[Schedule], groups: Groups, name: str = "lr", index: int | None = None) -> None:
        self.schedules, self.group = schedules, groups[0]
        self.beside: Course | None = None  # the momenta that go beside the rates
        self.until = math.inf  # the last step that can follow
        distinct = list(dict.fromkeys(schedules))
        same = len(distinct) == 1
        self.ahead = Ahead(distinct, None if same else [distinct.index(schedule) for schedule in schedules])
        self.writer = writer(groups, name, index, same)

    def holds(self, groups: Groups) -> bool:
        """Whether the groups hold what was written last."""
        return self.writer.holds(groups)

    def replaced(self, groups: Groups) -> bool:
        """Whether the groups are other ones, as after a state was loaded into the optimizer."""
        return groups[0] is not self.group

    def write(self, groups: Groups, time: float) -> list[Any]:
        """Write the values of a time, and return copies of what the groups hold then."""
        return self.writer.write(groups, self.ahead.values(time, len(groups)))


class Exact(Updating):
    """A PyTorch scheduler that writes its exact curve while the rates are its own, and else steps as PyTorch does.

    A subclass names the arguments that make its curve, and says what the curve is. The curve is in force

    - from an absolute epoch on: `step(epoch)`, or the first step as a later part of SequentialLR;
    - from construction on, where the rates found are the initial ones or, with `last_epoch`, those of that epoch;
    - after a loaded state, a copy, or a change of an argument, where the rates found are those of the curve;

    and from then on while every group holds what was written last: the same object, and a tensor with the same
    version (or, after an optimizer's state was loaded, another object with the same value). From the first foreign
    rate on every step is PyTorch's, bit for bit.
    """

    __slots__ = ("_course", "_foreign", "_lean", "_made")  # not in __dict__, which is PyTorch's state_dict
    _arguments: tuple[str, ...]
    _course: Course | None  # what was written last; None where that is not known
    _foreign: dict[str, Any] | None  # the first group, where its rate is known to be another's
    _lean: Course | None  # the course, where nothing but the next step on it can follow
    _made: Curves | None

    _from_bases = False  # whether PyTorch's own steps start from the base rates, not from the rates found
    _takes_in = False  # whether a group added later goes on along the curve; else its steps are PyTorch's
    _times: tuple[str, ...] = ()  # the arguments that are numbers of steps
    _placed = True  # whether `last_epoch` says where on the curve initial rates belong
    _until: float = math.inf  # the last step that can be taken
    _absolute = True  # whether an absolute epoch has a value of its own

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1, *verbose: Any) -> None:
        self._forget()
        self._get_lr_called_within_step = False
        self._examine(checked(optimizer).param_groups)
        separate(optimizer)
        super().__init__(optimizer, last_epoch, *verbose)  # PyTorch before 2.9 has verbose

    def _examine(self, groups: Groups) -> None:
        """Make the curves of the groups, so that bad arguments fail before anything is written."""
        for base in {float(group["initial_lr" if "initial_lr" in group else "lr"]) for group in groups}:
            self._known_curve(base)

    def _known_curve(self, base: float, *others: float) -> Schedule | None:
        """The curve of a group, or None where an argument means what only PyTorch's own steps say."""
        found = [getattr(self, name, None) for name in self._arguments]
        if any(isinstance(one, Tensor) for one in found) or any(never(getattr(self, name)) for name in self._times):
            return None
        return self._curve(base, *others)

    def _curve(self, base: float, *others: float) -> Schedule | None:
        """The curve of a group with this base rate; None where there is none, so that PyTorch's steps are taken.

        others: what else stands in the key of the group.
        """
        raise NotImplementedError

    def _beside(self, keys: list[Key]) -> list[Schedule] | None:
        """The schedule of every group's momentum, if it goes beside the rate."""
        return None

    def _beside_course(self) -> Course | None:
        return None

    def _keys(self) -> list[Key]:
        """What the curve of each group depends on, beside the arguments: its base rate."""
        return [(float(base),) for base in self.base_lrs]

    @property
    def _time(self) -> float:
        """Where on its curve the scheduler is."""
        return self.last_epoch

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name not in Exact.__slots__:
            self._lean = None
            if not name.startswith("_"):  # an argument or the time was set from outside
                self._course, self._foreign = None, None

    def step(self, epoch: int | None = None) -> None:
        """Go on by one step; `epoch`, deprecated, goes to any step."""
        if is_dynamo_compiling():
            self._eager_step(epoch)
            return
        if epoch is None and (lean := self._lean) is not None:
            state = self.__dict__
            time = state["last_epoch"] + 1
            groups = state["optimizer"].param_groups
            if time <= lean.until and (rates := lean.writer.advance(groups, lean.ahead, time)) is not None:
                state["_last_lr"] = rates
                state["last_epoch"] = time
                state["_step_count"] += 1
                if (beside := lean.beside) is not None:
                    beside.write(groups, time)
                return
        self._full_step(epoch)

    @eager
    def _eager_step(self, epoch: int | None) -> None:
        self.step(epoch)

    def _full_step(self, epoch: int | None) -> None:
        state = self.__dict__
        if epoch is None and self.last_epoch >= self._until:
            raise ScheduleError(f"step() must be called at most total_steps = {self._until} times, got one more")
        if epoch is not None or state["_step_count"] == 1:
            forewarn(self, epoch)
        state["_step_count"] += 1
        # After an optimizer's state was loaded its groups are new objects, whose rates are looked at anew.
        foreign = self._foreign is self.optimizer.param_groups[0] and epoch is None and not self._is_initial
        if foreign and len(self.base_lrs) == len(self.optimizer.param_groups):
            self._step_as_torch()
            return
        self._update_lr(epoch)
        self._lean = self._course if state["_step_count"] > 1 else None

    @eager
    def _update_lr(self, epoch: int | None = None) -> None:
        follows = self._absolute if epoch is not None else self._follows()
        if self._take_in() and not self._takes_in:
            follows = False
        curves = self._curves() if follows else None
        if curves is None or curves.schedules is None:
            self._step_as_torch(epoch)
            return
        self.__dict__["last_epoch"] = self.last_epoch + 1 if epoch is None else epoch
        self._write(curves.schedules)

    def _step_as_torch(self, epoch: int | None = None) -> None:
        # A resumed scheduler finds the rates of the next epoch, which must not decay again, unless they are plainly
        # those of the last one, saved before its step.
        resumed = epoch is None and self._is_initial and self.last_epoch >= 0
        if resumed and not hold(rates(self.optimizer), self._curves().values(self.last_epoch)):
            self.last_epoch += 1
            self.__dict__["_last_lr"] = copied(rates(self.optimizer))
        else:
            super()._update_lr(epoch)
        self._leave()

    def _leave(self) -> None:
        self._course, self._foreign = None, self.optimizer.param_groups[0]

    def _write(self, schedules: list[Schedule]) -> None:
        groups = self.optimizer.param_groups
        held = self._course
        if held is None or held.schedules is not schedules or not held.holds(groups):
            separate(self.optimizer)
            held = Course(schedules, groups)
            held.beside, held.until = self._beside_course(), self._until
        self.__dict__["_last_lr"] = held.write(groups, self._time)
        if held.beside is not None:
            held.beside.write(groups, max(self.last_epoch, 0))
        self._course, self._foreign = held, None

    def _follows(self) -> bool:
        """Whether the rates found lie on the curve, so that the next step goes on along it."""
        groups, curves, held = self.optimizer.param_groups[: len(self.base_lrs)], self._curves(), self._course
        if curves.schedules is None or self._foreign is groups[0]:
            return False
        found = [group["lr"] for group in groups]
        if self._is_initial:
            return self._from_bases or self._begins(found, curves)
        if held is not None and held.schedules is curves.schedules:
            if held.holds(groups):
                return True
            if not held.replaced(groups):
                return False
        return hold(found, curves.values(self._time))

    def _begins(self, found: list[Any], curves: Curves) -> bool:
        """Whether the curve is in force from construction on."""
        # A rate on the curve at this very step may be taken for it: from there PyTorch's recursion gives the same
        # curve, so that a coincidence does no harm. A rate that merely looks finished (eta_min) is no sign: an ordinary
        # warm-up begins there. Where the user names an epoch and every rate is still the initial one, no state was
        # loaded; PyTorch's recursion would carry the initial rate to that epoch.
        if self.last_epoch >= 0 and hold(found, curves.values(self.last_epoch + 1)):
            return True
        return (self.last_epoch == -1 or self._placed) and hold(found, [key[0] for key in curves.keys])

    def _curves(self) -> Curves:
        """The curves of the groups, made again when an argument or a base rate is another one."""
        made, arguments = self._made, [getattr(self, name, None) for name in self._arguments]
        same = made is not None and unchanged(made.bases, self.base_lrs)
        if made is None or not same or made.arguments != arguments:
            # Base rates are not read again for each cycle of warm restarts: reading a tensor waits for its device.
            known = made.keys if made and same and type(self)._keys is Exact._keys else self._keys()
            made = self._made = self._make(arguments, known)
        # A function that was put on this object is the user's: it has the last word.
        mine = vars(self).keys().isdisjoint({"get_lr", "_get_closed_form_lr"})
        return made if mine else made._replace(schedules=None, beside=None)

    def _make(self, arguments: list[Any], keys: list[Key]) -> Curves:
        different = {key: self._known_curve(*key) for key in dict.fromkeys(keys)}
        schedules = [schedule for key in keys if (schedule := different[key]) is not None]
        whole = len(schedules) == len(keys) and not overridden(type(self))  # type: ignore[arg-type]
        return Curves(
            copy.copy(arguments),
            marks(self.base_lrs),
            keys,
            schedules if whole else None,
            self._beside(keys) if whole else None,
        )

    def _take_in(self) -> bool:
        """Give the groups that were added later their base rate; whether there were any."""
        later = self.optimizer.param_groups[len(self.base_lrs) :]
        for group in later:
            self._join(group)
        return bool(later)

    def _join(self, group: dict[str, Any]) -> None:
        self.__dict__["base_lrs"] = joined(self.base_lrs, group)

    def _rehearse(self, state: dict[str, Any]) -> None:
        """Make the curves of a state on a copy, so that its bad arguments are found."""
        rehearsal = object.__new__(type(self))
        rehearsal.__dict__.update({**self.__dict__, **state})
        rehearsal._forget()
        rehearsal._make([], rehearsal._keys())

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _write_others(self) -> None:
        beside = self._beside_course()
        if beside is not None:
            beside.write(self.optimizer.param_groups, max(self.last_epoch, 0))

    def _forget(self) -> None:
        self._made = self._course = self._lean = None
        self._foreign = None


def never(steps: Any) -> bool:
    """Whether a number of steps is none that a schedule has: never (inf, sys.maxsize), or between two steps.

    There PyTorch's recursion, which asks whether a count is equal to the number or divisible by it, is no curve.
    """
    if isinstance(steps, bool) or not isinstance(steps, int | float | Fraction) or steps != steps:
        return isinstance(steps, Tensor)
    return bool(steps > END_OF_TIME or steps % 1 != 0)


@cache
def overridden(kind: type) -> bool:
    """Whether a user's subclass computes rates of its own, which are then the ones to write."""
    for parent in kind.__mro__:
        if parent.__module__.startswith(__package__):
            return False
        if not vars(parent).keys().isdisjoint({"get_lr", "_get_closed_form_lr"}):
            return True
    return False
