"""The values at the ends of a run, and how they change from copy to copy of a loop."""

from __future__ import annotations

from typing import Any, NamedTuple

from .pieces import Copies, Piece

ROWS = 1024  # copies of a loop whose ends are tabulated; later ones follow the same rule in float arithmetic


class Ends(NamedTuple):
    """The values of a piece: those at both ends, and the lower and the higher of the two it goes between."""

    first: Any
    last: Any
    base: Any
    top: Any


def ends(piece: Piece) -> Ends:
    return Ends(piece.first, piece.last, min(piece.start, piece.end), max(piece.start, piece.end))


def later(copies: Copies, copy: Any, part: Ends, xp: Any) -> Ends:
    """The ends in a copy beyond the rows of a table, in float arithmetic."""
    down = copies.floor * copies.floor_factor**copy
    up = copies.peak * copies.peak_factor**copy
    up = xp.where(up < down, down, up)
    if copies.floor == copies.peak:
        return Ends(*[up] * 4)
    width = copies.peak - copies.floor
    return Ends(*(down + (value - copies.floor) / width * (up - down) for value in part))
