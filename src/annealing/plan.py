"""The plan of a training: how many updates it makes, and how many of them a duration with a unit is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any

from .durations import Duration, duration
from .errors import ScheduleError, whole
from .exact import END_OF_TIME, exact_number, positive
from .printing import literal
from .schedule.base import Schedule
from .schedule.deferred import durations, resolved

CHOICES = {"sharding": ("pad", "drop"), "leftover": ("update", "drop", "carry")}
AFTER = ("hold", "repeat", "mirror")


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
    batch: int | None
    accumulation: int
    replicas: int
    drop_last: bool
    sharding: str
    leftover: str
    tokens_per_example: int | Fraction | None
    steps: int

    _asked: tuple[str, int | Fraction] = field(compare=False)

    def __init__(
        self,
        *,
        examples: int | None = None,
        batch: int | None = None,
        accumulation: int = 1,
        replicas: int = 1,
        drop_last: bool = False,
        sharding: str = "pad",
        leftover: str = "update",
        epochs: float | Fraction | None = None,
        steps: int | None = None,
        tokens: float | Fraction | None = None,
        tokens_per_example: float | Fraction | None = None,
    ) -> None:
        counts = {"examples": examples, "batch": batch, "accumulation": accumulation, "replicas": replicas}
        needed = ("accumulation", "replicas")
        given: dict[str, Any] = {
            name: whole(value, name) if value is not None or name in needed else None for name, value in counts.items()
        }
        given |= {"drop_last": drop_last, "sharding": sharding, "leftover": leftover}
        if not isinstance(drop_last, bool):
            raise ScheduleError(f"drop_last must be True or False, got {drop_last!r}")
        for name, choices in CHOICES.items():
            if given[name] not in choices:
                raise ScheduleError(f"{name} must be one of {', '.join(choices)}, got {given[name]!r}")
        per_example = None if tokens_per_example is None else positive(tokens_per_example, "tokens_per_example")
        given["tokens_per_example"] = None if per_example is None else exact_number(per_example)
        for name, value in given.items():
            object.__setattr__(self, name, value)
        if examples is not None:
            self._check_epoch()
        lengths = {"epochs": epochs, "steps": steps, "tokens": tokens}
        asked = {name: value for name, value in lengths.items() if value is not None}
        if len(asked) != 1:
            raise ScheduleError(f"one of epochs, steps and tokens must be given, got {', '.join(asked) or 'none'}")
        ((unit, asked_for),) = asked.items()
        length = Fraction(whole(asked_for, unit)) if unit == "steps" else positive(asked_for, unit)
        made = int(length) if unit == "steps" else self._updates(unit, length)
        if not 1 <= made <= END_OF_TIME:
            raise ScheduleError(f"a plan must make from 1 to 2^53 updates, but {unit} = {asked_for!r} makes {made:,}")
        object.__setattr__(self, "steps", made)
        object.__setattr__(self, "_asked", (unit, exact_number(length)))

    def _check_epoch(self) -> None:
        if self._batches == 0:
            short = (
                f"with drop_last, batch must be at most the {self._share:,} examples of a replica, got {self._batch}"
            )
            none = f"sharding 'drop' leaves none of {self.examples} examples for each of {self.replicas} replicas"
            raise ScheduleError(short if self._share else none)
        if self.accumulation > self._batches and self.leftover != "carry":
            raise ScheduleError(
                f"accumulation must be at most the {self._batches:,} batches that a replica has in an epoch, "
                f"got {self.accumulation} (leftover 'carry' lets an update span epochs)"
            )

    def _updates(self, unit: str, length: Fraction) -> int:
        """How many updates epochs or tokens make."""
        if unit == "epochs":
            if self.leftover == "carry":
                return math.ceil(length * self._batches) // self.accumulation
            return math.ceil(length * self.steps_per_epoch)
        seen = length / self._tokens_per_example
        if self.examples is None:
            return math.ceil(seen / self._full)
        epochs, rest = divmod(seen, self.examples_per_epoch)
        batches = epochs * self._batches + math.ceil(rest / (self._batch * self.replicas))
        if self.leftover == "carry":
            return math.ceil(Fraction(batches, self.accumulation))
        return int(epochs * self.steps_per_epoch) + math.ceil(rest / self._full)

    @property
    def _full(self) -> int:
        """The examples of an update of full batches."""
        return self._batch * self.accumulation * self.replicas

    @property
    def _batch(self) -> int:
        if self.batch is None:
            raise ScheduleError("this plan has no batches: batch must be given to count epochs, examples and tokens")
        return self.batch

    @property
    def _share(self) -> int:
        """The examples of one replica in an epoch."""
        if self.examples is None:
            raise ScheduleError("this plan has no epochs: examples must be given to count them")
        shared = Fraction(self.examples, self.replicas)
        return math.ceil(shared) if self.sharding == "pad" else math.floor(shared)

    @property
    def _batches(self) -> int:
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
        updates = Fraction(self._batches, self.accumulation)
        if self.leftover == "carry":
            return exact_number(updates)
        return math.ceil(updates) if self.leftover == "update" else math.floor(updates)

    @property
    def examples_per_epoch(self) -> int:
        """Examples that the updates of an epoch are made of, over all replicas; what a sampler pads with counts too."""
        used = self._batches
        if self.leftover == "drop":
            used -= used % self.accumulation
        return min(self._share, used * self._batch) * self.replicas

    @property
    def epochs(self) -> int | Fraction:
        """How many epochs the updates are."""
        return exact_number(Fraction(self.steps) / self.steps_per_epoch)

    @property
    def examples_seen(self) -> int:
        """Examples that all updates together are made of, those that come again in every epoch too."""
        if self.examples is None:
            return self.steps * self._full
        made, in_epoch, each = self.steps, int(self.steps_per_epoch), self._full
        if self.leftover == "carry":
            made, in_epoch, each = self.steps * self.accumulation, self._batches, self._batch * self.replicas
        epochs, rest = divmod(made, in_epoch)
        return epochs * self.examples_per_epoch + min(rest * each, self.examples_per_epoch)

    @property
    def tokens(self) -> int | Fraction:
        """Tokens in these examples."""
        return exact_number(Fraction(self.examples_seen * self._tokens_per_example))

    def convert(self, time: str) -> int | Fraction:
        """A duration as an exact number of updates, which may be a fraction: "10ep", "500st", "5%", "2e9tok", "1e6ex".

        "5%" is of all updates of the plan. Examples and tokens go by what an update takes on the mean of an epoch, so
        that those of an epoch are as long as "1ep".

        >>> Plan(examples=1000, batch=32, epochs=3).convert("2.5ep")
        80
        """
        return exact_number(self._steps_in(duration(time, "duration")))

    def resolve(self, schedule: Schedule, beyond: str | None = None) -> Schedule:
        """The schedule in updates: every duration with a unit becomes a number. Plain numbers are updates already.

        beyond: what a schedule that ends before the last update does from there on: "hold", "repeat" or "mirror".
        Without it such a schedule is refused; an endless one is not. A ScheduleError also names what a recipe refuses
        once its times are known. A schedule that is longer than the plan is let through: `lint` and `explain` say so.

        >>> from annealing import cosine, linear
        >>> Plan(examples=1000, batch=50, steps=60).resolve(linear(0, 0.1, "1ep") >> cosine(0.1, 0, "40st"))
        linear(0, 0.1, 20) >> cosine(0.1, 0, 40)
        """
        if not isinstance(schedule, Schedule):
            raise ScheduleError(f"schedule must be a schedule, got {schedule!r}")
        if beyond is not None and beyond not in AFTER:
            raise ScheduleError(f"beyond must be one of {', '.join(AFTER)}, got {beyond!r}")
        made = resolved(schedule, self._steps_in)
        end = made.exact_duration
        if end is None or end >= self.steps - 1:
            return made
        if beyond is None:
            raise ScheduleError(
                f"the plan makes {self.steps:,} updates, but the schedule ends after {_number(end)}: make it longer, "
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
        return "\n".join([*self._sentences(), *(self._conversions(schedule) if schedule else ())])

    def _sentences(self) -> Iterator[str]:
        if self.examples is None:
            yield f"{self.steps:,} steps" + (f" of {self._full:,} examples" if self.batch else "")
            return
        shared = f" over {self.replicas} replicas" if self.replicas > 1 else ""
        yield (
            f"{self.examples:,} examples{shared} in batches of {self.batch}: "
            f"{self._batches:,} batches an epoch, of {self.examples_per_epoch:,} examples"
        )
        if self.accumulation > 1:
            rest = self._batches % self.accumulation
            left = {"update": "make the last step", "drop": "are left out", "carry": "count for the next epoch"}
            yield f"{self.accumulation} batches a step" + (f"; {rest} {left[self.leftover]}" if rest else "")
        unit, length = self._asked
        steps = f"{self.steps:,} steps of {_number(self.steps_per_epoch)} an epoch"
        if unit == "steps":
            yield f"{steps} = {_number(self.epochs)} epochs"
        else:
            made = getattr(self, unit)
            rounded = "" if made == length else f", rounded to {_number(made)} {unit}"
            yield f"{_number(length)} {unit} = {steps}{rounded}"

    def _conversions(self, schedule: Schedule) -> Iterator[str]:
        for time in durations(schedule):
            steps = self._steps_in(time)
            kept = "" if steps.denominator == 1 else ", not a whole number, and not rounded"
            yield f"{time} = {_number(steps)} steps{kept}"
        end = resolved(schedule, self._steps_in).exact_duration
        if end is None or end == self.steps:
            yield "the schedule never ends" if end is None else "the schedule ends with the plan"
            return
        how = "before" if end < self.steps else "after"
        yield f"the schedule ends {_number(abs(end - self.steps))} steps {how} the plan"

    def _steps_in(self, time: Duration) -> Fraction:
        amount, unit = time
        if unit == "st":
            return amount
        if unit == "%":
            return amount * self.steps / 100
        if unit == "ep":
            return amount * self.steps_per_epoch
        if unit == "tok":
            amount /= self._tokens_per_example
        if self.examples is None:
            return amount / self._full
        return amount * self.steps_per_epoch / self.examples_per_epoch

    def __repr__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.compare}
        usual = {"accumulation": 1, "replicas": 1, "drop_last": False, **{k: v[0] for k, v in CHOICES.items()}}
        given = (f"{k}={literal(v)}" for k, v in values.items() if v is not None and usual.get(k) != v)
        return f"Plan({', '.join(given)})"


def _number(value: int | Fraction) -> str:
    """A number to read: exact where its decimals end soon, else as a fraction and about."""
    text = literal(Fraction(value))
    if text.startswith("Fraction"):
        return f"{value} (about {float(value):,.6g})"
    return f"{int(value):,}" if Fraction(value).denominator == 1 else f"{float(value):,}"
