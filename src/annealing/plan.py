"""The plan of a training: how many updates it makes, and how many of them a duration with a unit is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any

from .calls import checked, checked_methods
from .durations import Duration, duration
from .errors import ScheduleError, whole
from .exact import END_OF_TIME, exact, exact_number, positive
from .plan_stages import Change, Stage, read_changes, stages, updates_for
from .printing import in_words, literal
from .recipes.registry import a_schedule
from .schedule.base import Schedule
from .schedule.deferred import resolved

CHOICES = {"sharding": ("pad", "drop"), "leftover": ("update", "drop", "carry")}
AFTER = ("hold", "repeat", "mirror")
MOST_TRIES = 64  # until the rest of a plan is found: 2 without stages


@checked_methods
@dataclass(frozen=True, init=False, repr=False)
class Plan:
    """How a training goes through its data, and for how long; every number that it gives is exact.

    examples: in the data set; None where it has no end that is known, and then no epochs. batch: examples in one batch
    of one replica, so that an update is made of batch * accumulation * replicas of them; None where only steps count.
    accumulation: batches of each replica for one update. replicas: processes that share the examples. Of epochs (may
    be a fraction), steps (updates) and tokens exactly one is given; tokens needs tokens_per_example (their mean).

    An epoch is counted as PyTorch's DistributedSampler and DataLoader do, then as Lightning and Hugging Face's Trainer:

    - sharding "pad": a replica gets ceil(examples / replicas), some of them twice. "drop": floor(examples / replicas),
      as with DistributedSampler(drop_last=True); with drop_last also the rule of accelerate.
    - drop_last False: the last batch of an epoch may be short. True: one that would be short is left out.
    - leftover "update": where accumulation does not divide the batches, the last update of an epoch is made of those
      that are left. "drop": they make none, as in a loop that asks `(i + 1) % accumulation == 0`. "carry": they count
      for the next epoch, and an epoch is a fraction of updates.

    What comes out between two updates is rounded up (with "carry", batches that are too few for an update make none).
    A ScheduleError refuses a plan that makes no update, or whose accumulation is above the batches of an epoch.

    >>> from annealing import Plan, cosine
    >>> plan = Plan(examples=50_000, batch=128, epochs=200)
    >>> plan.steps_per_epoch, plan.steps, plan.convert("5%")
    (391, 78200, 3910)
    >>> plan.resolve(cosine(0.1, 0, "200ep"))
    cosine(0.1, 0, 78200)

    Source: torch.utils.data; the Trainer of transformers 5 and accelerate's `sync_with_dataloader` for "update".
    """

    examples: int | None
    batch: Any  # a number, None, or its changes as (when, number)
    accumulation: Any
    replicas: Any
    drop_last: bool
    sharding: str
    leftover: str
    tokens_per_example: int | Fraction | None
    steps: int

    asked: tuple[str, int | Fraction] = field(compare=False)
    _changes: dict[str, tuple[Change, ...]] = field(compare=False)

    @checked
    def __init__(
        self,
        *,
        examples: int | None = None,
        batch: int | Sequence[Change] | None = None,
        accumulation: int | Sequence[Change] = 1,
        replicas: int | Sequence[Change] = 1,
        drop_last: bool = False,
        sharding: str = "pad",
        leftover: str = "update",
        epochs: float | Fraction | None = None,
        steps: int | None = None,
        tokens: float | Fraction | None = None,
        tokens_per_example: float | Fraction | None = None,
    ) -> None:
        counts = {"examples": examples, "batch": batch, "accumulation": accumulation, "replicas": replicas}
        given: dict[str, Any] = {name: read_changes(value, name) for name, value in counts.items()}
        given |= {"drop_last": drop_last, "sharding": sharding, "leftover": leftover}
        if not isinstance(drop_last, bool):
            raise ScheduleError(f"drop_last must be True or False, got {drop_last!r}")
        for name, choices in CHOICES.items():
            if given[name] not in choices:
                raise ScheduleError(f"{name} must be one of {', '.join(choices)}, got {given[name]!r}")
        per_example = None if tokens_per_example is None else positive(tokens_per_example, "tokens_per_example")
        given["tokens_per_example"] = None if per_example is None else exact_number(per_example)
        given["_changes"] = {name: value for name, value in given.items() if isinstance(value, tuple)}
        self.__dict__.update(given)  # not one by one: the class is frozen
        if examples is not None and not self._changes:
            self._check_epoch()
        lengths = (("epochs", epochs), ("steps", steps), ("tokens", tokens))
        asked = {name: value for name, value in lengths if value is not None}
        if len(asked) != 1:
            raise ScheduleError(f"one of epochs, steps and tokens must be given, got {', '.join(asked) or 'none'}")
        ((unit, asked_for),) = asked.items()
        length = Fraction(whole(asked_for, unit)) if unit == "steps" else positive(asked_for, unit)
        made = int(length) if unit == "steps" else self._updates(unit, length)
        if not 1 <= made <= END_OF_TIME:
            raise ScheduleError(f"a plan must make from 1 to 2^53 updates, but {unit} = {asked_for!r} makes {made:,}")
        self.__dict__.update(steps=made, asked=(unit, exact_number(length)))
        _ = self.stages  # changes that are not in order, and stages without an update, are refused now

    def _check_epoch(self) -> None:
        if self.batches_per_epoch == 0:
            short = (
                f"with drop_last, batch must be at most the {self._share:,} examples of a replica, got {self._batch}"
            )
            none = f"sharding 'drop' leaves none of {self.examples} examples for each of {self.replicas} replicas"
            raise ScheduleError(short if self._share else none)
        if self.accumulation > self.batches_per_epoch and self.leftover != "carry":
            raise ScheduleError(
                f"accumulation must be at most the {self.batches_per_epoch:,} batches that a replica has in an epoch, "
                f"got {self.accumulation} (leftover 'carry' lets an update span epochs)"
            )

    def _updates(self, unit: str, length: Fraction) -> int:
        """How many updates epochs or tokens make."""
        if self._changes:
            clock, amount = self.counted(Duration(length, "ep" if unit == "epochs" else "tok"))
            return updates_for(lambda made: self._clock(clock, Fraction(made), made), amount)
        if unit == "epochs":
            if self.leftover == "carry":
                return int(math.ceil(length * self.batches_per_epoch) // self.accumulation)
            return math.ceil(length * self.steps_per_epoch)
        seen = length / self._tokens_per_example
        if self.examples is None:
            return math.ceil(seen / self.full)
        # Whole epochs first: their last updates may be short, and only the updates of the rest are rounded up.
        epochs, rest = divmod(seen, self.examples_per_epoch)
        batches = epochs * self.batches_per_epoch + math.ceil(rest / (self._batch * self.replicas))
        if self.leftover == "carry":
            return math.ceil(Fraction(batches, self.accumulation))
        return int(epochs * self.steps_per_epoch) + math.ceil(rest / self.full)

    @property
    def full(self) -> int:
        """The examples of an update of full batches."""
        return int(self._batch * self.accumulation * self.replicas)

    @property
    def _batch(self) -> int:
        if self.batch is None:
            raise ScheduleError("this plan has no batches: batch must be given to count epochs, examples and tokens")
        if self._changes:
            raise ScheduleError(f"this plan changes {', '.join(self._changes)}: ask one of its plan.stages")
        return int(self.batch)

    @property
    def _share(self) -> int:
        """The examples of one replica in an epoch."""
        if self.examples is None:
            raise ScheduleError("this plan has no epochs: examples must be given to count them")
        shared = Fraction(self.examples, self.replicas)
        return math.ceil(shared) if self.sharding == "pad" else math.floor(shared)

    @property
    def batches_per_epoch(self) -> int:
        """The batches of one replica in an epoch."""
        batches = Fraction(self._share, self._batch)
        return math.floor(batches) if self.drop_last else math.ceil(batches)

    @property
    def _tokens_per_example(self) -> int | Fraction:
        if self.tokens_per_example is None:
            raise ScheduleError("this plan knows no tokens: tokens_per_example must be given to count them")
        return self.tokens_per_example

    @property
    def steps_per_epoch(self) -> int | Fraction:
        """Updates an epoch: with leftover "carry" their exact mean."""
        updates = Fraction(self.batches_per_epoch, self.accumulation)
        if self.leftover == "carry":
            return exact_number(updates)
        return math.ceil(updates) if self.leftover == "update" else math.floor(updates)

    @property
    def examples_per_epoch(self) -> int:
        """Examples that the updates of an epoch are made of, over all replicas; what a sampler pads with counts too."""
        used = self.batches_per_epoch
        if self.leftover == "drop":
            used -= used % self.accumulation
        return int(min(self._share, used * self._batch) * self.replicas)

    @property
    def stages(self) -> list[Stage]:
        """The stages in which updates are made alike: one, if neither batch, accumulation nor replicas change.

        >>> [(stage.start, stage.plan.batch) for stage in Plan(batch=[(0, 8), ("10%", 16)], steps=200).stages]
        [(0, 8), (20, 16)]
        """
        return self._stages(self.steps, checked=True)

    def _stages(self, steps: int, checked: bool = False) -> list[Stage]:
        alone = Stage(0, Fraction(0), Fraction(0), self)
        return stages(self._changes, self._with, steps, checked) if self._changes else [alone]

    def _with(self, counts: dict[str, int], steps: int = 1) -> Plan:
        """The plan of one stage."""
        names = [one.name for one in fields(self) if one.compare and one.name != "steps"]
        return Plan(**{name: getattr(self, name) for name in names} | counts | {"steps": steps})

    def pace(self, unit: str) -> Fraction:
        """The epochs, or the examples, of one update, on the mean of an epoch."""
        if unit == "epochs":
            return 1 / Fraction(self.steps_per_epoch) if self.examples is not None else Fraction(0)
        if self.batch is None or self.examples is None:
            return Fraction(0 if self.batch is None else self.full)
        return self.examples_per_epoch / Fraction(self.steps_per_epoch)

    def counted(self, time: Duration) -> tuple[str, Fraction]:
        """A duration in epochs, examples or tokens as an amount of "epochs" or of "examples"."""
        if time.unit == "ep":
            _ = self._stages(1)[0].plan.steps_per_epoch  # a plan without epochs is refused
            return "epochs", time.amount
        _ = self._stages(1)[0].plan._batch
        return "examples", time.amount / self._tokens_per_example if time.unit == "tok" else time.amount

    def _clock(self, unit: str, updates: Fraction, steps: int) -> Fraction:
        """The epochs or examples that are over after some of the updates of a plan of so many steps."""
        *_, stage = (stage for stage in self._stages(steps) if stage.start <= updates)
        return stage.clock(unit, updates)

    @property
    def epochs(self) -> int | Fraction:
        """How many epochs the updates are."""
        if self._changes:
            return exact_number(self._clock("epochs", Fraction(self.steps), self.steps))
        return exact_number(Fraction(self.steps) / self.steps_per_epoch)

    @property
    def examples_seen(self) -> int:
        """Examples that all updates together are made of, those that come again in every epoch too."""
        if self._changes:
            ends = [*(stage.start for stage in self.stages[1:]), self.steps]
            parts = zip(self.stages, ends, strict=True)
            return sum(stage.plan._with({}, end - stage.start).examples_seen for stage, end in parts)
        if self.examples is None:
            return self.steps * self.full
        made, in_epoch, each = self.steps, int(self.steps_per_epoch), self.full
        if self.leftover == "carry":
            made, in_epoch, each = self.steps * self.accumulation, self.batches_per_epoch, self._batch * self.replicas
        epochs, rest = divmod(made, in_epoch)
        return epochs * self.examples_per_epoch + min(rest * each, self.examples_per_epoch)

    @property
    def tokens(self) -> int | Fraction:
        """Tokens in these examples."""
        return exact_number(Fraction(self.examples_seen * self._tokens_per_example))

    def convert(self, time: str, after: int | Fraction = 0) -> int | Fraction:
        """A duration as an exact number of updates, which may be a fraction: "10ep", "500st", "5%", "2e9tok", "1e6ex".

        after: the updates before it, which make a difference where the plan has stages.

        "5%" is of all updates of the plan. Examples and tokens go by what an update takes on the mean of an epoch, so
        that those of an epoch are as long as "1ep".

        >>> Plan(examples=1000, batch=32, epochs=3).convert("2.5ep")
        80
        """
        return exact_number(self._steps_in(duration(time, "duration"), exact(after, "after")))

    def resolve(self, schedule: Schedule, beyond: str | None = None) -> Schedule:
        """The schedule in updates: every duration with a unit becomes a number. Plain numbers are updates already.

        beyond: what a schedule that ends before the last update does from there on: "hold", "repeat" or "mirror".
        Without it such a schedule is refused; an endless one is not. A ScheduleError also names what a recipe refuses
        once its times are known. A schedule that is longer than the plan is let through: `lint` and `explain` say so.

        >>> from annealing import cosine, linear
        >>> Plan(examples=1000, batch=50, steps=60).resolve(linear(0, 0.1, "1ep") >> cosine(0.1, 0, "40st"))
        linear(0, 0.1, 20) >> cosine(0.1, 0, 40)
        """
        a_schedule(schedule, "schedule")
        if beyond is not None and beyond not in AFTER:
            raise ScheduleError(f"beyond must be one of {', '.join(AFTER)}, got {beyond!r}")
        made, _ = self.in_updates(schedule)
        end = made.exact_duration
        if end is None or end >= self.steps - 1:
            return made
        if beyond is None:
            raise ScheduleError(
                f"the plan makes {self.steps:,} updates, but the schedule ends after {in_words(end)}: make it longer, "
                f'or say what comes then, such as plan.resolve(schedule, beyond="hold"); it is {schedule}'
            )
        return made.beyond(beyond)

    def explain(self, schedule: Schedule | None = None) -> str:
        """What the plan comes to, in lines of words, and with a schedule every conversion that `resolve` makes.

        >>> from annealing import cosine
        >>> print(Plan(examples=1000, batch=64, epochs=10).explain(cosine(0.1, 0, "9.5ep")))
        1,000 examples in batches of 64: 16 batches an epoch, of 1,000 examples
        10 epochs = 160 steps of 16 an epoch
        9.5ep = 152 steps
        the schedule ends 8 steps before the plan
        """
        converted = () if schedule is None else self._conversions(a_schedule(schedule, "schedule"))
        return "\n".join([*self._sentences(), *converted])

    def _sentences(self) -> Iterator[str]:
        """What the plan comes to."""
        if len(found := self.stages) > 1:
            for stage in found:
                made, *_ = stage.plan._sentences()
                yield f"from step {stage.start:,} on: {made.removeprefix('1 steps of ')}"
            yield f"{self.steps:,} steps, {self.examples_seen:,} examples"
            return
        if self.examples is None:
            yield f"{self.steps:,} steps" + (f" of {self.full:,} examples" if self.batch else "")
            return
        shared = f" over {self.replicas} replicas" if self.replicas > 1 else ""
        yield (
            f"{self.examples:,} examples{shared} in batches of {self.batch}: "
            f"{self.batches_per_epoch:,} batches an epoch, of {self.examples_per_epoch:,} examples"
        )
        if self.accumulation > 1:
            rest = self.batches_per_epoch % self.accumulation
            left = {"update": "make the last step", "drop": "are left out", "carry": "count for the next epoch"}
            yield f"{self.accumulation} batches a step" + (f"; {rest} {left[self.leftover]}" if rest else "")
        unit, length = self.asked
        steps = f"{self.steps:,} steps of {in_words(self.steps_per_epoch)} an epoch"
        if unit == "steps":
            yield f"{steps} = {in_words(self.epochs)} epochs"
        else:
            made = getattr(self, unit)
            rounded = "" if made == length else f", rounded to {in_words(made)} {unit}"
            yield f"{in_words(length)} {unit} = {steps}{rounded}"

    def _conversions(self, schedule: Schedule) -> Iterator[str]:
        """What the durations of a schedule come to, and where it ends."""
        made, found = self.in_updates(schedule)
        for (time, at), steps in found.items():
            kept = "" if steps.denominator == 1 else ", not a whole number, and not rounded"
            place = f" from step {in_words(at)} on" if len(self.stages) > 1 else ""
            yield f"{time}{place} = {in_words(steps)} steps{kept}"
        end = made.exact_duration
        if end is None or end == self.steps:
            yield "the schedule never ends" if end is None else "the schedule ends with the plan"
            return
        how = "before" if end < self.steps else "after"
        yield f"the schedule ends {in_words(abs(end - self.steps))} steps {how} the plan"

    def in_updates(self, schedule: Schedule) -> tuple[Schedule, dict[tuple[Duration, Fraction], Fraction]]:
        """The schedule in updates, and every duration in it, with where it starts, as a number of updates."""
        rest, totals, found = Fraction(1), list[Fraction](), dict[tuple[Duration, Fraction], Fraction]()

        def steps(time: Duration, at: Fraction) -> Fraction:
            where = at if self._changes else Fraction(0)
            found[time, where] = rest if time.unit == "rest" else self._steps_in(time, at)
            return found[time, where]

        # The rest makes up what the other durations leave; with stages these may last longer after another rest.
        for _ in range(MOST_TRIES):
            found.clear()
            made = resolved(schedule, steps)
            if all(time.unit != "rest" for time, _ in found):
                return made, found
            if (total := made.exact_duration) is None:
                raise ScheduleError(f'a schedule with a "rest" must end, but this one never does: {schedule}')
            if total == self.steps and any(other != total for other in totals):
                return made, found
            if total in totals:  # the end does not depend on the rest, or on two of them
                break
            totals.append(total)
            rest += (self.steps - total) or 1
            if rest < 0:
                raise ScheduleError(
                    f'nothing is left for "rest": the other parts last {in_words(self.steps - rest)} of '
                    f"{self.steps:,} updates, in {schedule}"
                )
        raise ScheduleError(f'"rest" must be given once, for a part that others precede or follow, in {schedule}')

    def _steps_in(self, time: Duration, at: Fraction) -> Fraction:
        if time.unit == "rest":
            raise ScheduleError('"rest" is what the other durations of a schedule leave: resolve the schedule')
        if time.unit == "st":
            return time.amount
        if time.unit == "%":
            return time.amount * self.steps / 100
        unit, amount = self.counted(time)
        over = self._clock(unit, max(at, Fraction(0)), self.steps) + amount
        reached = [stage for stage in self.stages if getattr(stage, unit) <= over]
        return (reached or self.stages)[-1].updates(unit, over) - max(at, Fraction(0))

    def __repr__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.compare}
        usual = {"accumulation": 1, "replicas": 1, "drop_last": False, **{k: v[0] for k, v in CHOICES.items()}}
        given = (f"{k}={literal(v)}" for k, v in values.items() if v is not None and usual.get(k) != v)
        return f"Plan({', '.join(given)})"
