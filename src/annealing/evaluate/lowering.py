"""Lowering a schedule to flat pieces: what each node does to the pieces of its parts, with exact times."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction

from .. import shapes
from ..errors import ScheduleError
from ..exact import END_OF_TIME, MOST_RUNS, powers, trimmed
from .pieces import Copies, Loop, Lowered, Operation, Piece, Pieces, in_force
from .program import PieceTable

MOST_WRITTEN = 20_000  # pieces of an endless part are written out where it is cut and another follows
SHORT = 64  # equal copies with up to this many pieces are written out, more become a loop
ONCE = Fraction(1)


def run(shape: shapes.Shape, start: float, end: float, length: Fraction) -> Pieces:
    """One piece; `length` is the timescale of an endless shape."""
    if length == 0:
        return constant(end)
    piece = Piece(Fraction(0), Fraction(0), length, shape, start, end)
    return Pieces((piece,), None, None if shape.endless else length, end)


def constant(value: float) -> Pieces:
    """A number in a sum or a product: it counts from the start and has no length of its own."""
    return Pieces((), None, Fraction(0), value)


def flat_pieces(value: float, length: Fraction) -> Pieces:
    return run(shapes.flat, value, value, length)


def stretched(lowered: Lowered, by: Fraction) -> Lowered:
    def change(pieces: Pieces) -> Pieces:
        loop = pieces.loop and pieces.loop.stretched(by)
        end = None if pieces.end is None else pieces.end * by
        return pieces._replace(head=tuple(piece.stretched(by) for piece in pieces.head), loop=loop, end=end)

    return lowered.each(change)


def shifted(lowered: Lowered, by: Fraction) -> Lowered:
    """Later by `by`, holding the first value until then; for `by` below 0 the start is cut."""

    def later(pieces: Pieces) -> Pieces:
        if pieces.end == 0:
            return pieces
        return _joined(flat_pieces(PieceTable(pieces).at(0), by), pieces)

    def earlier(pieces: Pieces) -> Pieces:
        if pieces.end is not None and pieces.end + by <= 0:
            return constant(pieces.final)
        loop = pieces.loop and pieces.loop.moved(by).cut()
        over = loop is not None and loop.begin == 0  # the loop counts from the start
        kept = () if over else tuple(in_force((piece.moved(by) for piece in pieces.head), Fraction(0)))
        return pieces._replace(head=kept, loop=loop, end=None if pieces.end is None else pieces.end + by)

    return lowered if by == 0 else lowered.each(later if by > 0 else earlier)


def until(lowered: Lowered, time: Fraction) -> Lowered:
    """The same up to a time, where it ends; from there on each leaf holds its limit there."""

    def change(pieces: Pieces) -> Pieces:
        if pieces.end is not None and pieces.end < time:
            return _padded(pieces, time)
        head = tuple(piece for piece in pieces.head if piece.begin < time)
        loop = pieces.loop if pieces.loop and pieces.loop.begin < time else None
        return Pieces(head, loop, time, PieceTable(pieces).left(time))

    return lowered.each(change)


def guarded(lowered: Lowered) -> Lowered:
    """The same, but times after its end are refused."""
    end = lowered.end
    return lowered.each(lambda pieces: pieces._replace(strict=end is not None and pieces.end == end))


def mirrored(lowered: Lowered, length: Fraction) -> Lowered:
    """The first `length` of a schedule, and then the same backwards."""

    def change(pieces: Pieces) -> Pieces:
        there = tuple(_bounded(_padded(pieces, length)))
        back = [
            Piece(
                2 * length - stop, 2 * length - piece.stop, piece.length, piece.shape.mirrored(), piece.end, piece.start
            )
            for piece, stop in reversed(list(zip(there, [*(p.begin for p in there[1:]), length], strict=True)))
        ]
        return Pieces((*there, *back), None, 2 * length, there[0].ends.first)

    return lowered.each(change)


def join(parts: list[Lowered]) -> Lowered:
    """One after another; every part but the last has an end."""
    if len(parts) == 1:
        return parts[0]
    plain = [part for part in parts if isinstance(part, Pieces)]
    if len(plain) == len(parts):
        return _joined(*plain)
    *first, last = parts
    before = join(first)
    assert before.end is not None
    begin = before.end

    def then(pieces: Pieces, value: float) -> Pieces:
        return _padded(pieces, begin)._replace(final=value)

    def after(pieces: Pieces, value: float) -> Pieces:
        # A number in a sum has no length, so nothing of it would follow.
        if pieces.end == 0:
            return flat_pieces(value, begin)._replace(final=pieces.final)
        return _joined(flat_pieces(value, begin), pieces)

    # Each is 0 while the other counts.
    return Operation("+", (_with_values(before, 0.0, then), _with_values(last, 0.0, after)))


def _joined(*parts: Pieces) -> Pieces:
    *first, last = parts
    head, begin = list[Piece](), Fraction(0)
    for part in first:
        assert part.end is not None
        head += [piece.moved(begin) for piece in _bounded(part)]
        begin += part.end
    loop = last.loop and last.loop.moved(begin)
    end = None if last.end is None else begin + last.end
    return last._replace(head=(*head, *(piece.moved(begin) for piece in last.head)), loop=loop, end=end)


def repeat(
    part: Lowered,
    times: int | None = None,
    growth: Fraction = ONCE,
    peak_factor: float = 1.0,
    floor_factor: float = 1.0,
    restarts: bool = True,
) -> Lowered:
    """The part repeated, each copy `growth` times as long, its values changed by the two factors."""
    length = part.end
    assert length is not None
    # The line through floor and peak can be applied to the values of pieces, but not to a sum of several leaves.
    if isinstance(part, Operation) and not peak_factor == floor_factor == 1:
        raise ScheduleError("peak_factor and floor_factor need a part made of pieces, not of operations on schedules")

    def change(pieces: Pieces) -> Pieces:
        runs = tuple(_bounded(_padded(pieces, length)))
        values = [value for piece in runs for value in (piece.start, piece.end)]
        copies = Copies(min(values), max(values), peak_factor, floor_factor)
        end = None if times is None else length * times
        # Copies of one length are found by a division, however many; growing ones need a table of their starts.
        if growth == 1:
            loop = Loop(Fraction(0), Fraction(0), length, runs, copies, restarts)
            final = pieces.final if times is None else _nth(copies, times - 1)(pieces.final)
            repeated = Pieces((), loop, end, final)
            short = times is not None and times * len(runs) <= SHORT
            return repeated._replace(head=tuple(repeated.written_out()), loop=None) if short else repeated
        return _grown(runs, length, times, growth, copies, pieces.final)

    return part.each(change)


def _nth(copies: Copies, n: int) -> Callable[[float], float]:
    """The change of copy n, or of the copy after which all are the same."""
    for i, change in enumerate(copies.changes()):
        if i == n or copies.settled(change):
            return change
        if i >= MOST_WRITTEN:
            break
    raise ScheduleError(f"times must be at most {MOST_WRITTEN:,} with these factors, got {n + 1}")


def _grown(
    runs: tuple[Piece, ...], length: Fraction, times: int | None, growth: Fraction, copies: Copies, final: float
) -> Pieces:
    begin, written, last = Fraction(0), list[Piece](), final
    flat = copies.floor == copies.peak
    most = MOST_RUNS // len(runs)
    too_many = ScheduleError(
        f"growth {float(growth)!r} needs more than {MOST_RUNS:,} cycles before 2^53: "
        "limit the number of cycles, or use a growth of 1 or one further from 1"
    )
    # 1.01: the estimate is in floats, and must not refuse what the exact count below allows.
    if min(times or math.inf, _copies_needed(float(length), float(growth))) > 1.01 * most:
        raise too_many
    for i, (scale, change) in enumerate(zip(powers(growth), copies.changes(), strict=False)):
        if i == times or begin > END_OF_TIME:
            break
        if i == most:
            raise too_many
        for j, piece in enumerate(runs):
            written.append(piece.stretched(scale).copied(begin, change, again=i > 0 and j == 0 and not flat))
        # Exact sums of growing lengths would double their digits with every copy.
        begin, last = trimmed(begin + scale * length), change(final)
    return Pieces(tuple(written), None, begin if times is not None else None, last)


def _copies_needed(length: float, growth: float) -> float:
    """About how many copies there are before 2^53: an estimate that refuses at once what would fail after long work."""
    if growth <= 1:
        return math.inf
    return math.log1p(END_OF_TIME * (growth - 1) / length) / math.log(growth)


def _bounded(pieces: Pieces) -> list[Piece]:
    """The pieces of a leaf that ends, written out."""
    assert pieces.end is not None
    runs = list(itertools.islice(pieces.written_out(), MOST_WRITTEN + 1))
    if len(runs) > MOST_WRITTEN:
        raise ScheduleError(f"more than {MOST_WRITTEN:,} pieces would have to be written out: repeat fewer of them")
    return runs


def _padded(pieces: Pieces, length: Fraction) -> Pieces:
    """Held at its final value until `length`."""
    assert pieces.end is not None
    if pieces.end == length:
        return pieces._replace(strict=False)
    return _joined(pieces, flat_pieces(pieces.final, length - pieces.end))


def _with_values(lowered: Lowered, value: float, change: Callable[[Pieces, float], Pieces]) -> Lowered:
    """Each leaf changed with a number of its own, so that the operations on these numbers give `value`."""
    if isinstance(lowered, Pieces):
        return change(lowered, value)
    # The first part carries the value, and the others do nothing to it.
    neutral = {"+": 0.0, "*": 1.0, "/": 1.0, "minimum": value, "maximum": value}[lowered.name]
    parts = (_with_values(part, value if i == 0 else neutral, change) for i, part in enumerate(lowered.parts))
    return Operation(lowered.name, tuple(parts))


def cycles(lowered: Lowered) -> Iterator[tuple[Fraction, Fraction | None, bool, bool]]:
    """The times between two starts of pieces of any leaf, in order; without end if the schedule has none.

    Each with its end (None: it has none), whether a repeated part starts again there, and whether its start is only
    the next stair of a staircase.
    """
    from heapq import merge  # here, as it would be a tenth of what importing annealing adds to importing NumPy

    begin, again, stair = Fraction(0), False, True
    for time, restart, held in merge(*map(_begins, lowered.leaves)):
        if time == begin:
            again, stair = again or restart, stair and held
        elif time != lowered.end:
            yield begin, time, again, stair
            begin, again, stair = time, restart, held
    yield begin, lowered.end, again, stair


def _begins(pieces: Pieces) -> Iterator[tuple[Fraction, bool, bool]]:
    before: Piece | None = None
    for piece in pieces.written_out():
        whole = piece.begin == piece.origin  # the rest of a piece that was cut goes on, and does not start
        resumed = whole and before is not None and before.falling_cosine and piece.falling_cosine
        yield piece.begin, piece.again or resumed, piece.stair
        before = piece
    if pieces.end is not None:
        yield pieces.end, False, False
