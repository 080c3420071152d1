"""A schedule inside a graph of torch.compile: its tables are inputs of the graph, its arithmetic is one operation.

Dynamo reads `in_graph` line by line, and nothing else here. `prepared` runs while it reads: it lowers the schedule and
packs the tables for a device. `evaluated` goes into the graph as it is, so that the modules that Dynamo could not read
compute there too, and every value is that of an eager call.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

import numpy as np

from ..errors import ScheduleError
from .backends import NumpyTime, TorchTime
from .program import Program

PROGRAMS: dict[str, Program] = {}  # what was captured may ask for its program as long as the process lives


def compiling(xp: Any) -> bool:
    """Whether this is read by Dynamo, with times of the library `xp`."""
    return xp.__name__ == "torch" and bool(xp.compiler.is_dynamo_compiling())


def in_graph(schedule: Any, t: Any) -> Any:
    """The values of a schedule at a tensor, in the graph that is being captured."""
    # Its id is what every version of Dynamo gives away of an object, and it guards it.
    key = prepared(id(schedule), t.device)
    return evaluated(t, schedule.program.packed[key], key)


def prepared(address: int, device: Any) -> str:
    """Pack the tables of the schedule with this id for a device, and return the key under which they are kept."""
    torch = sys.modules["torch"]
    torch.compiler.allow_in_graph(evaluated)
    program = _with_id(address).program
    key = f"{id(program)} on {device}"
    if key not in program.packed:
        tables = Packing(np.zeros(1), np)
        program.values(tables)
        arrays = [np.concatenate(tables.floats), np.concatenate(tables.integers), *tables.searched]
        packed = [torch.as_tensor(array, device=device) for array in arrays]
        for tensor in packed:
            # Else the CUDA graphs that torch.compile makes would copy the tables at every replay.
            torch._dynamo.mark_static_address(tensor)
        program.packed[key] = packed
    PROGRAMS[key] = program
    return key


# This is what torch.compiler.assume_constant_result sets; to call it would need torch.
prepared._dynamo_marked_constant = True  # type: ignore[attr-defined]


def evaluated(t: Any, packed: list[Any], key: str) -> Any:
    """The values at a tensor, from packed tables."""
    time = PackedTime(t, sys.modules["torch"], packed)
    return time.result(PROGRAMS[key].values(time))


class Packing(NumpyTime):
    """A time at which a program is evaluated to learn which tables it asks for, in their order."""

    place = None
    traced = True

    def __init__(self, t: Any, xp: Any) -> None:
        super().__init__(t, xp)
        self.floats: list[Any] = []
        self.integers: list[Any] = []
        self.searched: list[Any] = []

    def table(self, column: Any) -> Any:
        (self.floats if column.dtype.kind == "f" else self.integers).append(column.reshape(-1))
        return column

    def boundaries(self, column: Any) -> Any:
        # A tensor of its own: on a GPU inductor searches the whole of a tensor where it should search a part.
        self.searched.append(column)
        return column


class PackedTime(TorchTime):
    """Times in a graph, whose tables are the next parts of two tensors, and the next of those that are searched."""

    def __init__(self, t: Any, xp: Any, packed: list[Any]) -> None:
        super().__init__(t, xp)
        self.place, self.traced = None, True
        floats, integers, *searched = packed
        self.packed, self.searched = {"f": floats, "i": integers}, iter(searched)
        self.used = dict.fromkeys(self.packed, 0)

    def table(self, column: Any) -> Any:
        kind = column.dtype.kind
        start = self.used[kind]
        self.used[kind] = start + column.size
        return self.packed[kind][start : start + column.size].reshape(column.shape)

    def boundaries(self, column: Any) -> Any:
        return next(self.searched)


def _with_id(address: int) -> Any:
    # Looking for it costs a fraction of a second once per compilation; a list of all schedules would cost each of them.
    frozen = gc.get_freeze_count()
    gc.unfreeze()  # since what is frozen is not listed
    try:
        for found in gc.get_objects():
            if id(found) == address and hasattr(found, "program"):
                return found
    finally:
        if frozen:
            gc.freeze()
    raise ScheduleError("a schedule must be made before the function that calls it is compiled, not inside it")
