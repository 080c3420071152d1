"""A schedule as flat pieces: what every node becomes before it is evaluated.

`Pieces` are runs one after another, then perhaps one cycle of runs that repeats. Time changes are carried exactly
into them. Sums and products stay as an `Operation` over pieces that all span the whole time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from . import shapes
from .errors import ScheduleError
from .times import END_OF_TIME, MOST_RUNS, powers, trimmed

SHORT = 64  # equal copies up to this number of runs are written out, more become a cycle

Name = Literal["+", "*"]


@dataclass(frozen=True)
class Piece:
    """A run in force from `begin`; its shape counts time from `origin`, which is earlier where the run was cut."""

    begin: Fraction
    origin: Fraction
    length: Fraction
    shape: shapes.Shape
    start: float
    end: float
    again: bool = False  # whether it begins copy 1, 2, ... of a repeated part

    @property
    def stop(self) -> Fraction:
        return self.origin + self.length

    @property
    def first(self) -> float:
        """The value from its begin on."""
        return self.start if self.shape(0.0, 1.0) else self.end

    @property
    def last(self) -> float:
        """The limit of the value as time goes to its stop."""
        return self.start if self.shape(1.0, 0.0) else self.end

    @property
    def falling_cosine(self) -> bool:
        return isinstance(self.shape, shapes.Cosine) and self.start > self.end

    def moved(self, by: Fraction) -> Piece:
        return replace(self, begin=self.begin + by, origin=self.origin + by)

    def stretched(self, by: Fraction) -> Piece:
        return replace(self, begin=self.begin * by, origin=self.origin * by, length=self.length * by)

    def valued(self, change: Callable[[float], float]) -> Piece:
        return replace(self, start=change(self.start), end=change(self.end))


@dataclass(frozen=True)
class Copies:
    """How the ends of a part change from copy to copy: the line through (floor, peak) goes to the scaled two."""

    floor: float
    peak: float
    peak_factor: float = 1.0
    floor_factor: float = 1.0

    @property
    def equal(self) -> bool:
        return self.peak_factor == self.floor_factor == 1

    def changes(self) -> Iterator[Callable[[float], float]]:
        """For copy 0, 1, ...: the change of a value, exact up to one rounding."""
        floor, peak = Fraction(self.floor), Fraction(self.peak)
        for down, up in zip(powers(Fraction(self.floor_factor)), powers(Fraction(self.peak_factor)), strict=True):
            low = floor * down
            high = max(low, peak * up)

            def change(value: float, low: Fraction = low, high: Fraction = high) -> float:
                if value == self.peak:
                    return float(high)
                if value == self.floor:
                    return float(low)
                return float(low + (Fraction(value) - floor) / (peak - floor) * (high - low))

            yield change

    def settled(self, change: Callable[[float], float]) -> bool:
        """Whether no later copy differs from one with this change."""
        flat = change(self.floor) == change(self.peak)
        return self.equal or (flat and (self.floor_factor == 1 or change(self.peak) == 0))


@dataclass(frozen=True)
class Cycle:
    """Runs (in their own time, from 0) repeated from `origin` on, each `period` long, in force from `begin`."""

    begin: Fraction
    origin: Fraction
    period: Fraction
    pieces: tuple[Piece, ...]
    copies: Copies

    def moved(self, by: Fraction) -> Cycle:
        return replace(self, begin=self.begin + by, origin=self.origin + by)

    def cut(self) -> Cycle:
        """In force from 0 on at the earliest; equal copies that are over by then are forgotten."""
        begin = max(self.begin, Fraction(0))
        over = (begin - self.origin) // self.period if self.copies.equal else 0
        return replace(self, begin=begin, origin=self.origin + over * self.period)

    def stretched(self, by: Fraction) -> Cycle:
        return replace(
            self,
            begin=self.begin * by,
            origin=self.origin * by,
            period=self.period * by,
            pieces=tuple(piece.stretched(by) for piece in self.pieces),
        )

    def written_out(self, changes: Iterator[Callable[[float], float]] | None = None) -> Iterator[Piece]:
        """Its runs one by one, without end."""
        changes = changes or self.copies.changes()
        flat = self.copies.floor == self.copies.peak
        for i, change in enumerate(changes):
            for j, piece in enumerate(self.pieces):
                moved = piece.moved(self.origin + i * self.period).valued(change)
                yield replace(moved, again=piece.again or (i > 0 and j == 0 and not flat))


@dataclass(frozen=True)
class Pieces:
    """Runs, then perhaps a cycle, up to `end` (None: for ever); at the end and after it the value is `final`."""

    head: tuple[Piece, ...]
    cycle: Cycle | None
    end: Fraction | None
    final: float
    strict: bool = False  # whether a time after the end is refused

    @property
    def leaves(self) -> tuple[Pieces, ...]:
        return (self,)

    def each(self, change: Callable[[Pieces], Pieces]) -> Pieces:
        return change(self)

    def written_out(self) -> Iterator[Piece]:
        """All its runs in order; without end if it has none."""
        yield from self.head
        if self.cycle:
            for piece in self.cycle.written_out():
                if self.end is not None and piece.begin >= self.end:
                    return
                if piece.stop > self.cycle.begin:
                    yield replace(piece, begin=max(piece.begin, self.cycle.begin))


@dataclass(frozen=True)
class Operation:
    """A sum or a product of schedules that all span the whole time."""

    name: Name
    parts: tuple[Lowered, ...]

    @property
    def leaves(self) -> tuple[Pieces, ...]:
        return tuple(leaf for part in self.parts for leaf in part.leaves)

    @property
    def end(self) -> Fraction | None:
        ends = [leaf.end for leaf in self.leaves if leaf.end != 0]
        return None if None in ends else max(end for end in ends if end is not None)

    def each(self, change: Callable[[Pieces], Pieces]) -> Operation:
        return Operation(self.name, tuple(part.each(change) for part in self.parts))


Lowered = Pieces | Operation


def run(shape: shapes.Shape, start: float, end: float, length: Fraction) -> Pieces:
    return Pieces((Piece(Fraction(0), Fraction(0), length, shape, start, end),), None, length, end)


def constant(value: float) -> Pieces:
    """A number in a sum or a product: it is in force from the beginning and has no length of its own."""
    return Pieces((), None, Fraction(0), value)


def flat_pieces(value: float, length: Fraction) -> Pieces:
    return run(shapes.flat, value, value, length)


def operation(name: Name, parts: list[Lowered]) -> Lowered:
    return Operation(name, tuple(parts)) if len(parts) > 1 else parts[0]


def stretched(lowered: Lowered, by: Fraction) -> Lowered:
    def change(pieces: Pieces) -> Pieces:
        cycle = pieces.cycle and pieces.cycle.stretched(by)
        end = None if pieces.end is None else pieces.end * by
        return replace(pieces, head=tuple(piece.stretched(by) for piece in pieces.head), cycle=cycle, end=end)

    return lowered.each(change)


def shifted(lowered: Lowered, by: Fraction) -> Lowered:
    """Later by `by`, holding the first value until then; for `by` below 0 what came first is cut away."""

    def later(pieces: Pieces) -> Pieces:
        if pieces.end == 0:
            return pieces
        return _joined(flat_pieces(next(pieces.written_out()).first, by), pieces)

    def earlier(pieces: Pieces) -> Pieces:
        if pieces.end is not None and pieces.end + by <= 0:
            return constant(pieces.final)
        moved = [piece.moved(by) for piece in pieces.head]
        kept = tuple(replace(piece, begin=max(piece.begin, Fraction(0))) for piece in moved if piece.stop > 0)
        cycle = pieces.cycle and pieces.cycle.moved(by).cut()
        return replace(pieces, head=kept, cycle=cycle, end=None if pieces.end is None else pieces.end + by)

    return lowered.each(later if by >= 0 else earlier)


def guarded(lowered: Lowered) -> Lowered:
    """The same, and times after its end are refused."""
    end = lowered.end
    return lowered.each(lambda pieces: replace(pieces, strict=end is not None and pieces.end == end))


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
        return Pieces((*there, *back), None, 2 * length, there[0].first)

    return lowered.each(change)


def join(parts: list[Lowered]) -> Lowered:
    """One after another; every part but the last has an end."""
    plain = [part for part in parts if isinstance(part, Pieces)]
    if len(plain) == len(parts):
        return _joined(*plain)
    *first, last = parts
    before = join(first) if len(first) > 1 else first[0]
    assert before.end is not None
    return Operation("+", (_then(before, before.end, 0.0), _after(before.end, last, 0.0)))


def _joined(*parts: Pieces) -> Pieces:
    *first, last = parts
    head, begin = list[Piece](), Fraction(0)
    for part in first:
        assert part.end is not None
        head += [piece.moved(begin) for piece in _bounded(part)]
        begin += part.end
    cycle = last.cycle and last.cycle.moved(begin)
    end = None if last.end is None else begin + last.end
    return replace(last, head=(*head, *(piece.moved(begin) for piece in last.head)), cycle=cycle, end=end)


def repeat(part: Lowered, times: int | None, growth: Fraction, peak_factor: float, floor_factor: float) -> Lowered:
    """The part again and again, each copy `growth` times as long, its ends changed by the two factors."""
    length = part.end
    assert length is not None
    if isinstance(part, Operation) and not peak_factor == floor_factor == 1:
        raise ScheduleError("peak_factor and floor_factor need a part made of runs, not of sums or products")

    def change(pieces: Pieces) -> Pieces:
        runs = tuple(_bounded(_padded(pieces, length)))
        values = [value for piece in runs for value in (piece.start, piece.end)]
        copies = Copies(min(values), max(values), peak_factor, floor_factor)
        end = None if times is None else length * times
        if growth == 1:
            cycle = Cycle(Fraction(0), Fraction(0), length, runs, copies)
            final = pieces.final if times is None else _nth(copies, times - 1)(pieces.final)
            repeated = Pieces((), cycle, end, final)
            short = times is not None and times * len(runs) <= SHORT
            return replace(repeated, head=tuple(repeated.written_out()), cycle=None) if short else repeated
        return _grown(runs, length, times, growth, copies, pieces.final)

    return part.each(change)


def _nth(copies: Copies, n: int) -> Callable[[float], float]:
    """The change of copy n, or of the copy from which on all are the same."""
    for i, change in enumerate(copies.changes()):
        if i == n or copies.settled(change):
            return change
        if i >= MOST_RUNS:
            break
    raise ScheduleError(f"times must be at most {MOST_RUNS} with these factors, got {n + 1}")


def _grown(
    runs: tuple[Piece, ...], length: Fraction, times: int | None, growth: Fraction, copies: Copies, final: float
) -> Pieces:
    begin, written, change = Fraction(0), list[Piece](), None
    flat = copies.floor == copies.peak
    for i, (scale, change) in enumerate(zip(powers(growth), copies.changes(), strict=True)):
        if i == times or begin > END_OF_TIME:
            break
        if len(written) + len(runs) > MOST_RUNS:
            raise ScheduleError(
                f"growth {float(growth)!r} needs more than {MOST_RUNS:,} runs before 2^53: "
                "limit the number of runs, or take a growth of 1 or further from 1"
            )
        last = change
        for j, piece in enumerate(runs):
            grown = piece.stretched(scale).moved(begin).valued(change)
            written.append(replace(grown, again=piece.again or (i > 0 and j == 0 and not flat)))
        begin = trimmed(begin + scale * length)
    return Pieces(tuple(written), None, begin if times is not None else None, last(final))


def _bounded(pieces: Pieces) -> list[Piece]:
    """The runs of pieces that end, written out."""
    runs = list(itertools.islice(pieces.written_out(), MOST_RUNS + 1))
    if len(runs) > MOST_RUNS:
        raise ScheduleError(f"more than {MOST_RUNS:,} runs would have to be written out: repeat fewer of them")
    return runs


def _padded(pieces: Pieces, length: Fraction) -> Pieces:
    """Held at its final value until `length`."""
    assert pieces.end is not None
    if pieces.end == length:
        return replace(pieces, strict=False)
    return _joined(pieces, flat_pieces(pieces.final, length - pieces.end))


def _then(lowered: Lowered, length: Fraction, value: float) -> Lowered:
    """The same until `length`, and from there on the number `value`."""
    if isinstance(lowered, Pieces):
        return replace(_padded(lowered, length), final=value)
    return Operation(lowered.name, tuple(_then(part, length, v) for part, v in _shared(lowered, value)))


def _after(length: Fraction, lowered: Lowered, value: float) -> Lowered:
    """The number `value` until `length`, and from there on the same, later."""
    if isinstance(lowered, Pieces):
        if lowered.end == 0:
            return replace(flat_pieces(value, length), final=lowered.final)
        return _joined(flat_pieces(value, length), lowered)
    return Operation(lowered.name, tuple(_after(length, part, v) for part, v in _shared(lowered, value)))


def _shared(operation: Operation, value: float) -> list[tuple[Lowered, float]]:
    """The parts of an operation, each with a number, so that the operation on the numbers gives `value`."""
    neutral = 0.0 if operation.name == "+" else 1.0
    return [(part, value if i == 0 else neutral) for i, part in enumerate(operation.parts)]


def begins(lowered: Lowered, until: Fraction) -> list[tuple[Fraction, bool]]:
    """The times below `until` at which a run begins, and whether one there begins again what ran before."""
    found: dict[Fraction, bool] = {}
    for leaf in lowered.leaves:
        before: Piece | None = None
        for piece in leaf.written_out():
            if piece.begin >= until:
                break
            if len(found) >= MOST_RUNS:
                raise ScheduleError(f"there are more than {MOST_RUNS:,} runs until {float(until)!r}: ask for fewer")
            resumed = before is not None and before.falling_cosine and piece.falling_cosine
            found[piece.begin] = found.get(piece.begin, False) or piece.again or resumed
            before = piece
    return sorted(found.items())
