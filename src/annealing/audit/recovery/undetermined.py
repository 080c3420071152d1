"""What a log leaves open about the schedule that was recovered from it."""

from __future__ import annotations

import math

from ... import shapes
from .candidate import Candidate

NAMES = {"linear": "the line", "cosine": "the cosine", "power": "the power decay", "inverse_power": "the decay"}


def doubts(found: Candidate) -> tuple[str, ...]:
    """A sentence for every number that may be another one, with the range that the digits leave it."""
    model, sentences = found.model, []
    for i, part in enumerate(model.parts):
        name = NAMES.get(part.name, f"the {part.name} part")
        gap = model.gaps.get(part.start)
        if gap is not None and part.start not in found.bounds and gap[1] - gap[0] > 1 and part.flat:
            sentences.append(
                f"a change lies after {gap[0]:g} and by {gap[1]:g} (no row between); {model.numbers[part.start]:g} is "
                "the roundest time there"
            )
        for slot, what in ((part.end, "end"), (part.begin, "start")):
            if model.roles[slot] != "time" or slot not in found.bounds or (i and slot == part.start):
                continue
            least, most = found.bounds[slot]
            if math.floor(most) > math.ceil(least):
                stopped = what == "end" and i == len(model.parts) - 1 and model.numbers[slot] > model.seen
                why = "the log stops before it" if stopped else "the digits are too few"
                sentences.append(
                    f"the {what} of {name} is not determined between about {least:.6g} and {most:.6g}: {why}; "
                    f"{model.numbers[slot]:g} is the roundest"
                )
        for slot, what in ((part.first, "first"), (part.last, "last")):
            if slot in found.bounds and not part.flat:
                least, most = found.bounds[slot]
                peak = max(abs(model.numbers[part.first]), abs(model.numbers[part.last])) or 1.0
                if most - least > 0.01 * peak:
                    sentences.append(
                        f"the {what} value of {name} is not determined between about {least:.3g} and {most:.3g}"
                    )
    last = model.parts[-1]
    if last.shape is shapes.linear and model.numbers[last.end] > model.seen:
        sentences.append(
            f"the log stops at {model.seen:g}, before the line ends: a line to another value at another time gives "
            "the same rates"
        )
    if len(model.parts) == 1 and last.flat:
        sentences.append("a constant rate: when it began, and whether it would have changed later, cannot be told")
    return tuple(dict.fromkeys(sentences))
