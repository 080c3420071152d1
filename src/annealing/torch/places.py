"""Where parameter groups hold a number: Python numbers are replaced, tensors filled in place."""

from __future__ import annotations

from typing import Any

from torch import Tensor, empty, float64, no_grad, tensor

Groups = list[dict[str, Any]]


class Places:
    """Where the groups hold a hyperparameter.

    Tensors of one type and device become views of one buffer, one for each group, so that one operation writes all of
    them, also where the groups shared a tensor before. A tensor alone of its kind stays the object that it is.
    """

    def __init__(self, name: str, groups: Groups) -> None:
        self.name = name
        found = [group[name] for group in groups]
        self.held: list[Tensor | None] = [one if isinstance(one, Tensor) else None for one in found]
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
            self.held[i] = groups[i][self.name] = filled_in(groups[i][self.name], values[i], filled)
        for i in self.numbers:
            groups[i][self.name] = values[i]


def filled_in(place: Tensor, value: float, filled: list[Tensor]) -> Tensor:
    """The tensor with this value, or a copy if it was filled for another group already."""
    with no_grad():
        place = place.clone() if any(place is other for other in filled) else place
        filled.append(place)
        return place.fill_(value)
