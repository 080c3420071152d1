"""Everything that writes param groups: numbers are replaced, tensors filled in place.

Make a `writer(groups, name)` and call `write(groups, values)`, or `put(groups, values)` to write only once. The
drop-ins also ask `holds`: has something else written since? The native Scheduler asks `fits`: are the groups still of
this kind? Comparisons write through it too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .blocks import BLOCK, Ahead
from .groups import Groups, copied, eager, marks, unchanged


def writer(
    groups: Groups, name: str = "lr", index: int | None = None, same: bool = False, merge: bool = False
) -> Writer:
    """The writer for a hyperparameter of these groups.

    index: which number, if a group holds several (betas). same: whether all groups always get the same value. merge:
    whether several tensors of one kind may become views of one buffer, so that one operation writes them all; then
    `write` returns the values instead of copies.
    """
    if index is not None:
        return Writer(groups, name, index)
    found = [group[name] for group in groups]
    tensors = [one for one in found if isinstance(one, Tensor)]
    same = same or len(groups) == 1
    if not tensors:
        return (SameNumber if same else EachNumber)(groups, name)
    plain = all(
        type(one) is Tensor and not one.requires_grad and not one.is_inference() and one.numel() == 1 for one in tensors
    )
    kinds = {(one.dtype, one.device, one.shape) for one in tensors}
    if not plain or len(kinds) > 1 or len(tensors) < len(found):
        return Writer(groups, name)
    return (Merged if merge else Scalars)(groups, name, same)


class Writer:
    """Writes groups of any kind, one at a time."""

    __slots__ = ("index", "name", "written")

    def __init__(self, groups: Groups, name: str, index: int | None = None) -> None:
        self.name, self.index = name, index
        self.written: Any = []

    def fits(self, groups: Groups) -> bool:
        """Whether the groups still are of the kind this was made for; reads no tensor."""
        return True

    # torch.compile must stay out, because these compare Python objects by identity; each such barrier takes time, so
    # `advance` has one where `holds` and `write` would have two. The classes for plain numbers need none.
    @eager
    def holds(self, groups: Groups) -> bool:
        """Whether the groups hold what was written last: the same objects, tensors with the same version."""
        return self._holds(groups)

    @eager
    def write(self, groups: Groups, values: list[float]) -> list[Any]:
        """Write a value into every group, and return copies of what they now hold."""
        return self._write(groups, values)

    @eager
    def advance(self, groups: Groups, ahead: Ahead, time: int) -> list[Any] | None:
        """Write the values at a time if the groups hold what was written last; otherwise return None."""
        return self._write(groups, ahead.values(time, len(groups))) if self._holds(groups) else None

    def _holds(self, groups: Groups) -> bool:
        return unchanged(self.written, [group[self.name] for group in groups])

    def _write(self, groups: Groups, values: list[float]) -> list[Any]:
        put(groups, values, self.name, self.index)
        found = [group[self.name] for group in groups]
        self.written = marks(found)
        return copied(found)


class EachNumber(Writer):
    """Writes groups that all hold Python numbers."""

    __slots__ = ()

    def fits(self, groups: Groups) -> bool:
        name = self.name
        for group in groups:
            found = group[name]
            if type(found) is not float and isinstance(found, Tensor):
                return False
        return True

    def holds(self, groups: Groups) -> bool:
        name, written = self.name, self.written
        for group, mine in zip(groups, written):  # noqa: B905 (a strict one takes longer)
            if group[name] is not mine:
                return False
        return len(groups) == len(written)

    def write(self, groups: Groups, values: list[float]) -> list[Any]:
        name = self.name
        for group, value in zip(groups, values):  # noqa: B905
            group[name] = value
        self.written = values
        return values.copy()

    def advance(self, groups: Groups, ahead: Ahead, time: int) -> list[Any] | None:
        return self.write(groups, ahead.values(time, len(groups))) if self.holds(groups) else None


class SameNumber(EachNumber):
    """Writes groups that all hold the same Python number, without building a list of values.

    Most optimizers are of this kind. A step of a single float group takes about a microsecond, and the three calls of
    the general `advance` would double that; so this class has its own loops.
    """

    __slots__ = ("count",)

    def __init__(self, groups: Groups, name: str) -> None:
        super().__init__(groups, name)
        self.count = len(groups)

    def fits(self, groups: Groups) -> bool:
        return len(groups) == self.count and EachNumber.fits(self, groups)  # super() takes as long as the check

    def holds(self, groups: Groups) -> bool:
        name, mine = self.name, self.written
        for group in groups:
            if group[name] is not mine:
                return False
        return len(groups) == self.count

    def advance(self, groups: Groups, ahead: Ahead, time: int) -> list[Any] | None:
        place, count, name, mine = time - ahead.begin, self.count, self.name, self.written
        if not 0 <= place < BLOCK or len(groups) != count:
            return super().advance(groups, ahead, time)
        for group in groups:
            if group[name] is not mine:
                return None
        value = ahead.columns[0][place]
        for group in groups:
            group[name] = value
        self.written = value
        return [value] * count

    def write(self, groups: Groups, values: list[float]) -> list[Any]:
        name = self.name
        self.written = value = values[0]
        for group in groups:
            group[name] = value
        return values


class Scalars(Writer):
    """Writes groups that hold scalar tensors of one dtype on one device; the tensors stay the same objects."""

    __slots__ = ("same", "tensors", "versions")

    def __init__(self, groups: Groups, name: str, same: bool) -> None:
        super().__init__(groups, name)
        self.same = same
        self.tensors: list[Tensor] = [group[name] for group in groups]
        self.versions: list[int] = []

    def fits(self, groups: Groups) -> bool:
        name = self.name
        for group, mine in zip(groups, self.tensors):  # noqa: B905
            if group[name] is not mine:
                return False
        return len(groups) == len(self.tensors)

    def _holds(self, groups: Groups) -> bool:
        name, versions = self.name, self.versions
        for group, mine, version in zip(groups, self.tensors, versions):  # noqa: B905
            if group[name] is not mine or mine._version != version:
                return False
        return len(groups) == len(versions)

    def _write(self, groups: Groups, values: list[float]) -> list[Any]:
        first = self.tensors[0]
        if len(values) == 1:
            row = [first.fill_(values[0]).clone()]
        elif self.same:
            row = [torch.full_like(first, values[0])] * len(values)
            torch._foreach_copy_(self.tensors, row)
        else:
            # Non-blocking, so nothing waits for the device; only the copy rounds, and only once, to the rates' dtype.
            row = list(torch.tensor(values, dtype=torch.float64).to(first.device, first.dtype, True).unbind())
            torch._foreach_copy_(self.tensors, row)
        self.versions = [tensor._version for tensor in self.tensors]
        return row


class Merged(Scalars):
    """Writes groups whose scalar tensors become views of one buffer: one operation for any number of groups.

    A single tensor is its own buffer, and so stays the same object.
    """

    __slots__ = ("buffer",)

    def __init__(self, groups: Groups, name: str, same: bool) -> None:
        super().__init__(groups, name, same)
        self.buffer = first = self.tensors[0]
        if len(groups) > 1:
            self.buffer = torch.empty(len(groups), dtype=first.dtype, device=first.device)
            self.tensors = [view.view(first.shape) for view in self.buffer.unbind()]
            for group, view in zip(groups, self.tensors, strict=True):
                group[name] = view

    def _write(self, groups: Groups, values: list[float]) -> list[Any]:
        if self.same:
            self.buffer.fill_(values[0])
        else:
            self.buffer.copy_(torch.tensor(values, dtype=torch.float64), non_blocking=True)
        return values


def put(groups: Groups, values: list[Any], name: str = "lr", index: int | None = None) -> None:
    """Write a value into every group once; a tensor that several groups share becomes one for each."""
    filled: list[Tensor] = []
    for group, value in zip(groups, values, strict=True):
        held = entry(group, name, index)
        if isinstance(held, Tensor):
            value = _filled(held, value, filled)
        elif isinstance(value, Tensor):
            value = value.item()
        set_entry(group, name, index, value)


def entry(group: dict[str, Any], name: str, index: int | None) -> Any:
    return group[name] if index is None else group[name][index]


def set_entry(group: dict[str, Any], name: str, index: int | None, value: Any) -> None:
    if index is not None:
        value = type(group[name])([*group[name][:index], value, *group[name][index + 1 :]])
    group[name] = value


def _filled(held: Tensor, value: Any, filled: list[Tensor]) -> Tensor:
    with torch.no_grad():
        held = held.clone() if any(held is other for other in filled) else held
        filled.append(held)
        return held.fill_(value)
