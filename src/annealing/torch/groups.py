"""The rates in an optimizer's parameter groups: read, compare and restore them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import Tensor, compiler, full_like
from torch.optim import Optimizer

from ..errors import ScheduleError

Groups = list[dict[str, Any]]
Method = TypeVar("Method", bound=Callable[..., Any])
Marks = list[tuple[Any, int | None]]


def eager(method: Method) -> Method:
    """Keep torch.compile out of a method that compares Python objects by identity."""
    return compiler.disable(method)  # type: ignore[no-any-return, no-untyped-call]


def rates(optimizer: Optimizer) -> list[Any]:
    return [group["lr"] for group in optimizer.param_groups]


def copied(rates: list[Any]) -> list[Any]:
    return [rate.clone() if isinstance(rate, Tensor) else rate for rate in rates]


def marks(rates: list[Any]) -> Marks:
    # A tensor made under inference_mode has no version; its identity must do.
    return [(one, one._version if isinstance(one, Tensor) and not one.is_inference() else None) for one in rates]


def unchanged(marks: Marks, rates: list[Any]) -> bool:
    """Whether the rates are still the marked objects, with the same versions."""
    if len(marks) != len(rates):
        return False
    for (marked, version), rate in zip(marks, rates, strict=True):
        if rate is not marked or (version is not None and rate._version != version):
            return False
    return True


def hold(rates: list[Any], values: list[float] | None) -> bool:
    """Whether the rates equal these values in the rates' own precision; reads tensors."""
    if values is None or len(rates) != len(values):
        return False
    return all(
        bool((rate == full_like(rate, value)).all()) if isinstance(rate, Tensor) else rate == value
        for rate, value in zip(rates, values, strict=True)
    )


def separate(optimizer: Optimizer) -> None:
    """Where several groups share a tensor, give each its own, so that their rates can differ."""
    seen = set[tuple[Any, int]]()
    for group in optimizer.param_groups:
        rate = group["lr"]
        if isinstance(rate, Tensor):
            place = (rate.device, rate.data_ptr() or id(rate))
            if place in seen or rate is group.get("initial_lr"):  # PyTorch's SequentialLR before 2.9 puts it there
                group["lr"] = rate.clone()
            seen.add(place)


def checked(optimizer: Any) -> Optimizer:
    """The optimizer itself, if it is one that has parameter groups."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    step: Any = optimizer.step
    if not hasattr(step, "__func__") and not hasattr(step, "_wrapped_by_lr_sched"):
        raise ScheduleError(
            "optimizer.step was replaced by a plain function, such as torch.compile returns: build the scheduler "
            "first and compile afterwards, or use annealing.torch.Scheduler, which does not patch optimizer.step"
        )
    if not optimizer.param_groups:
        raise ScheduleError("optimizer must have at least one parameter group, got none")
    return optimizer


def shared(values: list[Any], name: str) -> Any:
    """The value that all groups have in common, for a group that was added later."""
    if any(bool(value != values[0]) for value in values):
        raise ScheduleError(f"{name} must be the same for all groups if a group is added later, got {values!r}")
    return values[0]


def joined(bases: list[Any], group: dict[str, Any]) -> list[Any]:
    """The base rates, extended by that of a group that was added later: the rate that it came with."""
    group.setdefault("initial_lr", *copied([group["lr"]]))
    return [*bases, *copied([group["initial_lr"]])]


@contextmanager
def kept_on_error(optimizer: Any) -> Iterator[None]:
    """Restore the groups if the block fails: PyTorch's constructors write before they check."""
    groups = checked(optimizer).param_groups
    before, values, wrapped = [dict(group) for group in groups], copied(rates(optimizer)), "step" in vars(optimizer)
    try:
        yield
    except BaseException:
        for group, old in zip(groups, before, strict=True):
            group.clear()
            group.update(old)
        for group, value in zip(groups, values, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].copy_(value)
        if not wrapped:
            vars(optimizer).pop("step", None)
        raise
