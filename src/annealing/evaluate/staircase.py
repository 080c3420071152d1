"""A held schedule: its pieces become stairs, flat between the multiples of a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from .. import shapes
from ..errors import ScheduleError
from ..printing import literal
from .lowering import MOST_WRITTEN
from .pieces import Copies, Loop, Lowered, Piece, Pieces
from .program import PieceTable

MOST_CHANGING = 128  # stairs in a copy of a loop that changes: every copy has a row of them in a table


def held(lowered: Lowered, every: Fraction) -> Lowered:
    """The value at each multiple of `every`, held until the next."""

    def change(pieces: Pieces) -> Pieces:
        if pieces.end == 0:
            return pieces
        if pieces.end is not None:
            end = _next(pieces.end, every)
            return pieces._replace(head=tuple(_stairs(pieces, end, every)), loop=None, end=end)
        if pieces.loop is None:
            raise ScheduleError(f"a schedule held every {literal(every)} must end or repeat: cut it with .until(time)")
        loop = (_equal if pieces.loop.copies.equal else _changing)(pieces, pieces.loop, every)
        return pieces._replace(head=tuple(_stairs(pieces, loop.begin, every)), loop=loop)

    return lowered.each(change)


def _next(time: Fraction, every: Fraction) -> Fraction:
    return math.ceil(time / every) * every


def _stairs(pieces: Pieces, end: Fraction, every: Fraction, begin: Fraction = Fraction(0)) -> Iterator[Piece]:
    """The stairs from `begin` to `end`; one is a restart if a piece starts again within the stair before it."""
    if (end - begin) / every > MOST_WRITTEN:
        raise ScheduleError(f"every must be at least {float((end - begin) / MOST_WRITTEN):g}, got {literal(every)}")
    value, stair, again = PieceTable(pieces).at, begin, set[Fraction]()
    for number, piece in enumerate(pieces.written_out()):
        if piece.begin >= end:
            break
        if number >= MOST_WRITTEN:
            raise ScheduleError(f"every must not hold over more than {MOST_WRITTEN:,} pieces, got {literal(every)}")
        if piece.again:
            again.add(_next(piece.begin, every))
    while stair < end:
        height = value(stair)
        yield Piece(stair, stair, every, shapes.flat, height, height, stair in again, stair=True)
        stair += every


def _equal(pieces: Pieces, loop: Loop, every: Fraction) -> Loop:
    """A loop of equal copies as stairs: it repeats when the period and the stairs meet again."""
    # The least common multiple of two fractions, through whole numbers in a common unit.
    units = math.lcm(loop.period.denominator, every.denominator)
    period = Fraction(math.lcm(int(loop.period * units), int(every * units)), units)
    copy = math.ceil((loop.begin - loop.origin) / loop.period)
    begin = _next(loop.origin + copy * loop.period, every)
    stairs = [piece.moved(-begin) for piece in _stairs(pieces, begin + period, every, begin)]
    heights = [stair.start for stair in stairs]
    first = stairs[0]._replace(again=False)
    return loop._replace(
        begin=begin,
        origin=begin,
        period=period,
        pieces=(first, *stairs[1:]),
        copies=Copies(min(heights), max(heights)),
    )


def _changing(pieces: Pieces, loop: Loop, every: Fraction) -> Loop:
    """A loop whose copies change, as stairs; these must start where the copies do."""
    if loop.period % every or loop.origin % every:
        raise ScheduleError(
            f"every must divide the length {literal(loop.period)} of the copies that change "
            f"and their start {literal(loop.origin)}, got {literal(every)}"
        )
    if loop.period / every > MOST_CHANGING:
        least = literal(loop.period / MOST_CHANGING)
        raise ScheduleError(f"every must be at least {least} where copies change, got {literal(every)}")
    # The stairs of copy 0; the rows of the table change their heights as they change the ends of any other piece.
    once = Copies(loop.copies.floor, loop.copies.peak)
    alone = Pieces((), loop._replace(begin=Fraction(0), origin=Fraction(0), copies=once), None, pieces.final)
    return loop._replace(begin=_next(loop.begin, every), pieces=tuple(_stairs(alone, loop.period, every)))
