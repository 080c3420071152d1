"""The next steps of a hyperparameter, whose values are known to be in range: written without another look at them."""

from __future__ import annotations

from .blocks import BLOCK, block, ends
from .hyperparameters import Hyperparameter
from .places import Groups, Places


class Ahead:
    """A hyperparameter in a block of whole positions."""

    def __init__(self, one: Hyperparameter, number: int, groups: Groups) -> None:
        assert one.places is not None
        self.one, self.places, self.begin = one, one.places, number * BLOCK
        self.plain = isinstance(one.places, Places) and len(one.places.numbers) == len(groups)
        columns = [block(schedule, number) for schedule in one.distinct]
        self.column = columns[0] if len(columns) == 1 else None
        self.columns = columns * len(groups) if one.which is None else [columns[i] for i in one.which]
        self.factors = None if one.scale is None else one.factors(groups)

    def values(self, position: float, groups: Groups) -> list[float] | None:
        """What every group is to hold; None where that is to be looked at anew."""
        place = position - self.begin
        if type(place) is not int or not 0 <= place < BLOCK:
            return None
        if len(groups) != len(self.columns) or not self.places.still_in(groups):
            return None
        if self.column is None:
            found = [column[place] for column in self.columns]
        else:
            found = [self.column[place]] * len(groups)
        if self.factors is None:
            return found
        if self.one.factors(groups) is not self.factors:
            return None
        return [value * factor for value, factor in zip(found, self.factors, strict=True)]


def look_ahead(steered: list[Hyperparameter], position: float, groups: Groups) -> list[Ahead] | None:
    """The steps of the block of this position; None where a step of it may be refused."""
    if type(position) is not int:
        return None
    number = position // BLOCK
    for one in steered:
        if one.places is None or (one.which is not None and len(one.which) != len(groups)):
            return None
        least, most, _ = one.range
        factors = [1.0] if one.scale is None else [*one.factors(groups), 1.0]
        for schedule in one.distinct:
            found = ends(schedule, number)
            if found is None or not all(least <= end * factor <= most for end in found for factor in factors):
                return None
    return [Ahead(one, number, groups) for one in steered]
