"""States of schedulers: one that belongs to another scheduler is refused before anything is changed."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from torch.optim import lr_scheduler, swa_utils
from torch.optim.lr_scheduler import LRScheduler

from ..errors import ScheduleError
from .dropin import Exact
from .groups import separate
from .writer import put

# Keys that the states of other PyTorch versions, from 2.2 on, may lack; the constructor's values then stay.
SINCE = {
    *("_is_initial", "_get_lr_called_within_step", "_last_lr", "verbose"),
    *("use_beta1", "_anneal_func_type", "_anneal_strategy", "anneal_func", "default_min_lr"),
}


@cache
def arguments_of_all() -> frozenset[str]:
    """The argument names of all PyTorch schedulers: an unexpected one shows that a state is another scheduler's."""
    classes = [getattr(lr_scheduler, name) for name in lr_scheduler.__all__]
    names = {name for kind in [*classes, swa_utils.SWALR] for name in inspect.signature(kind).parameters}
    return frozenset(names - {"optimizer", "last_epoch", "verbose"})


def check(scheduler: LRScheduler, state: Any) -> None:
    """Refuse a state that is not one of this kind of scheduler; for a composite, check its parts too."""
    kind = type(scheduler).__name__
    if not isinstance(state, dict):
        raise ScheduleError(f"state_dict must be a dict, the state of a {kind}, got {type(state).__name__}")
    own = scheduler.state_dict()
    missing = sorted(own.keys() - state.keys() - SINCE)
    other = sorted((state.keys() - own.keys()) & arguments_of_all())
    if missing or other:
        found = [f"{words} {', '.join(names)}" for words, names in (("lacks", missing), ("has", other)) if names]
        raise ScheduleError(f"state_dict must be the state of a {kind}, but this one {' and '.join(found)}")
    groups = len(scheduler.optimizer.param_groups)
    for name in ("base_lrs", "_last_lr"):
        values = state.get(name, [])
        if not isinstance(values, list | tuple) or len(values) > groups:
            raise ScheduleError(f"{name} in state_dict must be a list for {groups} parameter groups, got {values!r}")
    if "last_epoch" in own and (isinstance(state["last_epoch"], bool) or not isinstance(state["last_epoch"], int)):
        raise ScheduleError(f"last_epoch in state_dict must be a whole number, got {state['last_epoch']!r}")
    parts = getattr(scheduler, "_schedulers", ())
    if parts and (not isinstance(state["_schedulers"], list | tuple) or len(state["_schedulers"]) != len(parts)):
        raise ScheduleError(f"_schedulers in state_dict must be a list of {len(parts)} states of the parts of a {kind}")
    for part, its in zip(parts, state.get("_schedulers", ()), strict=True):
        check(part, its)
    if isinstance(scheduler, Exact):
        scheduler._rehearse(state)


class Loading(LRScheduler):
    """Loads a state, and writes its rates into the groups."""

    _first = 0  # the first epoch with rates to write; before it, this is a later part of a sequence and must wait

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state saved by this class or PyTorch's, and write its rates into the groups.

        If the optimizer's state is loaded later, its rates replace these. A ScheduleError says why a state does not
        fit, and leaves the scheduler and the optimizer as they were.
        """
        check(self, state_dict)
        super().load_state_dict(dict(state_dict))
        if isinstance(self, Exact):
            self._forget()
        if getattr(self, "last_epoch", self._first) >= self._first:
            groups, last = self.optimizer.param_groups, self.__dict__.get("_last_lr", [])
            separate(self.optimizer)
            put(groups[: len(last)], list(last))
            if isinstance(self, Exact) and (momenta := self._momentum_course()) is not None:
                momenta.write(groups, max(self.last_epoch, 0))
