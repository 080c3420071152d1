"""The rule of all drop-ins: follow the exact curve while the rates are our own, otherwise step as PyTorch does."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

from torch import Tensor
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer

from ..errors import ScheduleError
from ..exact import END_OF_TIME
from ..schedule.base import Schedule
from .blocks import Ahead
from .compat import Updating, forewarn
from .groups import Groups, Marks, checked, copied, eager, hold, joined, marks, rates, separate, unchanged
from .writer import writer

Key = tuple[float, ...]


class Curves(NamedTuple):
    """Each group's schedule, and what it was made from; no schedules means: step as PyTorch does."""

    arguments: list[Any]
    bases: Marks
    keys: list[Key]
    schedules: list[Schedule] | None
    momenta: list[Schedule] | None

    def values(self, time: float) -> list[float] | None:
        return None if self.schedules is None else Ahead(self.schedules).values(time, len(self.schedules))


class Course:
    """One number of the groups (lr, momentum) on its schedules: what was written last, and what comes next."""

    __slots__ = ("ahead", "group", "momenta", "schedules", "until", "writer")

    def __init__(self, schedules: list[Schedule], groups: Groups, name: str = "lr", index: int | None = None) -> None:
        self.schedules, self.group = schedules, groups[0]
        self.momenta: Course | None = None  # of the same groups, if they move with the rates
        self.until = math.inf  # the last step allowed
        self.ahead = Ahead(schedules)
        self.writer = writer(groups, name, index, same=self.ahead.which is None)

    def write(self, groups: Groups, time: float) -> list[Any]:
        """Write the values at a time, and return copies of what the groups now hold."""
        return self.writer.write(groups, self.ahead.values(time, len(groups)))


class Exact(Updating):
    """A PyTorch scheduler that follows its exact curve while the rates are its own, else steps as PyTorch does.

    A subclass names the arguments of its curve, and makes the curve. A scheduler starts to follow it

    - at an absolute epoch: `step(epoch)`, or the first step as a later part of SequentialLR;
    - at construction, if the groups hold the initial rates or, with `last_epoch`, those of that epoch;
    - after it was copied, has loaded a state, or had an argument changed, if the groups hold the curve's rates;

    and goes on as long as every group holds what was written last: the same object, a tensor also with the same
    version (or, after the optimizer has loaded a state, a new object with the same value). From the first foreign rate
    on it takes PyTorch's steps, bit for bit.
    """

    __slots__ = ("_course", "_foreign", "_lean", "_made")  # not in __dict__, which is PyTorch's state_dict
    _arguments: tuple[str, ...]
    _course: Course | None  # what was written last; None if unknown
    _foreign: dict[str, Any] | None  # the first group, if its rate is known to be foreign
    _lean: Course | None  # the course, if the next call can only be the next step on it: the fast path
    _made: Curves | None

    _from_bases = False  # whether PyTorch's own steps start from the base rates, not from the current rates
    _adopts_groups = False  # whether a group added later joins the curve; otherwise PyTorch's steps follow
    _times: tuple[str, ...] = ()  # the arguments that are numbers of steps
    _placed = True  # whether, given initial rates, `last_epoch` is the position on the curve
    _until: float = math.inf  # the last step allowed
    _absolute = True  # whether the curve has a value for an absolute epoch

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1, *verbose: Any) -> None:
        self._forget()
        self._get_lr_called_within_step = False
        self._examine(checked(optimizer).param_groups)
        separate(optimizer)
        super().__init__(optimizer, last_epoch, *verbose)  # PyTorch before 2.9 has verbose

    def _examine(self, groups: Groups) -> None:
        """Make each group's curve, so that bad arguments fail before anything is written."""
        bases = [group.get("initial_lr", group["lr"]) for group in groups]
        for key in dict.fromkeys(self._keys(bases, groups)):
            self._known_curve(*key)

    def _known_curve(self, base: float, *others: float) -> Schedule | None:
        """The curve of a group; None if an argument has a meaning that only PyTorch's own steps have."""
        found = [getattr(self, name, None) for name in self._arguments]
        if any(isinstance(one, Tensor) for one in found) or any(never(getattr(self, name)) for name in self._times):
            return None
        return self._curve(base, *others)

    def _curve(self, base: float, *others: float) -> Schedule | None:
        """The curve of a group with this base rate; None to step as PyTorch does. others: the rest of its key."""
        raise NotImplementedError

    def _momentum(self, base: float, *others: float) -> Schedule | None:
        """The curve of the momentum of a group, if it moves with the rate."""
        return None

    def _momentum_course(self) -> Course | None:
        groups, schedules = self.optimizer.param_groups, self._curves().momenta
        if schedules is None or len(schedules) != len(groups):
            return None
        return Course(schedules, groups, *(("betas", 0) if getattr(self, "use_beta1", False) else ("momentum",)))

    def _keys(self, bases: list[Any], groups: Groups) -> list[Key]:
        """What each group's curve depends on besides the arguments: its base rate."""
        return [(float(base),) for base in bases]

    @property
    def _time(self) -> float:
        """The scheduler's position on its curve."""
        return self.last_epoch

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name not in Exact.__slots__:
            self._lean = None
            if not name.startswith("_"):  # the user has set an argument or the time
                self._course, self._foreign = None, None

    def step(self, epoch: int | None = None) -> None:
        """Advance by one step; `epoch` (deprecated) moves to any step."""
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
                if (momenta := lean.momenta) is not None:
                    momenta.write(groups, time)
                return
        self._full_step(epoch)

    @eager
    def _eager_step(self, epoch: int | None) -> None:
        self.step(epoch)

    def _full_step(self, epoch: int | None) -> None:
        state = self.__dict__
        if epoch is None and self.last_epoch >= self._until:
            raise ScheduleError(f"step() may be called at most total_steps = {self._until} times, got one more")
        if epoch is not None or state["_step_count"] == 1:
            forewarn(self, epoch)
        state["_step_count"] += 1
        self._update_lr(epoch)
        self._lean = self._course if state["_step_count"] > 1 else None

    @eager
    def _update_lr(self, epoch: int | None = None) -> None:
        follows = self._absolute if epoch is not None else self._follows()
        if self._adopt_groups() and not self._adopts_groups:
            follows = False
        curves = self._curves() if follows else None
        if curves is None or curves.schedules is None:
            self._step_as_torch(epoch)
            return
        self.__dict__["last_epoch"] = self.last_epoch + 1 if epoch is None else epoch
        self._write(curves.schedules)

    def _step_as_torch(self, epoch: int | None = None) -> None:
        # A resumed scheduler usually finds the rates of the next epoch, which must not decay again; if they are still
        # those of the last epoch, they were saved before its step, and must.
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
        if held is None or held.schedules is not schedules or not held.writer.holds(groups):
            separate(self.optimizer)
            held = Course(schedules, groups)
            held.momenta, held.until = self._momentum_course(), self._until
        self.__dict__["_last_lr"] = held.write(groups, self._time)
        if held.momenta is not None:
            held.momenta.write(groups, max(self.last_epoch, 0))
        self._course, self._foreign = held, None

    def _follows(self) -> bool:
        """Whether the current rates lie on the curve, so that the next step continues along it."""
        groups, held = self.optimizer.param_groups[: len(self.base_lrs)], self._course
        # When an optimizer loads a state, its groups become new objects, and their rates must be examined again.
        if self._foreign is groups[0]:
            return False
        curves = self._curves()
        if curves.schedules is None:
            return False
        found = [group["lr"] for group in groups]
        if self._is_initial:
            return self._from_bases or self._begins(found, curves)
        if held is not None and held.schedules is curves.schedules:
            if held.writer.holds(groups):
                return True
            if groups[0] is held.group:  # otherwise the optimizer has loaded a state
                return False
        return hold(found, curves.values(self._time))

    def _begins(self, found: list[Any], curves: Curves) -> bool:
        """Whether to follow the curve from construction on."""
        # A rate equal to the curve's at this step may be a coincidence, which does no harm: PyTorch's recursion gives
        # the same curve from there. A rate of eta_min proves nothing, because an ordinary warm-up starts there too. If
        # the user names an epoch and every rate is still the initial one, no state was loaded; PyTorch's recursion
        # would start from the initial rate at that epoch.
        if self.last_epoch >= 0 and hold(found, curves.values(self.last_epoch + 1)):
            return True
        return (self.last_epoch == -1 or self._placed) and hold(found, [key[0] for key in curves.keys])

    def _curves(self) -> Curves:
        """The groups' curves, made again when an argument or a base rate has changed."""
        made, arguments = self._made, [getattr(self, name, None) for name in self._arguments]
        same = made is not None and unchanged(made.bases, self.base_lrs)
        if made is None or not same or made.arguments != arguments:
            # Don't read the base rates again in each cycle of warm restarts: reading a tensor waits for its device.
            known = made.keys if made and same and type(self)._keys is Exact._keys else None
            made = self._made = self._make(arguments, known)
        # A user who assigns one of these methods to this object wants it called.
        mine = vars(self).keys().isdisjoint({"get_lr", "_get_closed_form_lr"})
        return made if mine else made._replace(schedules=None, momenta=None)

    def _make(self, arguments: list[Any], keys: list[Key] | None) -> Curves:
        keys = keys or self._keys(self.base_lrs, self.optimizer.param_groups)
        schedules = _for_all(self._known_curve, keys)
        if overridden(type(self)):  # type: ignore[arg-type]
            schedules = None
        momenta = None if schedules is None else _for_all(self._momentum, keys)
        return Curves(copy.copy(arguments), marks(self.base_lrs), keys, schedules, momenta)

    def _adopt_groups(self) -> bool:
        """Set the base rates of groups that were added later; return whether there were any."""
        later = self.optimizer.param_groups[len(self.base_lrs) :]
        for group in later:
            self._join(group)
        return bool(later)

    def _join(self, group: dict[str, Any]) -> None:
        self.__dict__["base_lrs"] = joined(self.base_lrs, group)

    def _rehearse(self, state: dict[str, Any]) -> None:
        """Make a state's curves on a copy, so that bad arguments in it fail before it is loaded."""
        rehearsal = object.__new__(type(self))
        rehearsal.__dict__.update({**self.__dict__, **state})
        rehearsal._forget()
        rehearsal._make([], None)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        self._made = self._course = self._lean = None
        self._foreign = None


def _for_all(make: Callable[..., Schedule | None], keys: list[Key]) -> list[Schedule] | None:
    """The curve of every group, made once for each key; None if one of them has none."""
    made = {key: make(*key) for key in dict.fromkeys(keys)}
    found = [curve for key in keys if (curve := made[key]) is not None]
    return found if len(found) == len(keys) else None


def never(steps: Any) -> bool:
    """Whether no schedule has this number of steps: it means never (inf, sys.maxsize), or lies between two steps.

    PyTorch's recursion only tests whether its count equals the number or is divisible by it.
    """
    if isinstance(steps, bool) or not isinstance(steps, int | float | Fraction) or steps != steps:
        return isinstance(steps, Tensor)
    return bool(steps > END_OF_TIME or steps % 1 != 0)


@cache
def overridden(kind: type) -> bool:
    """Whether a user's subclass computes its own rates, which then take precedence."""
    for parent in kind.__mro__:
        if parent.__module__.startswith(__package__):
            return False
        if not vars(parent).keys().isdisjoint({"get_lr", "_get_closed_form_lr"}):
            return True
    return False
