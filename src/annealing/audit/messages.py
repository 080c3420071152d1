"""A verdict in sentences."""

from __future__ import annotations

from typing import Any

from .verdict import Named, Verdict


def sentences(verdict: Verdict) -> list[str]:
    """What an audit found, for people."""
    clock = f"rate at clock c = schedule(c{verdict.shift:+d})" if verdict.shift else "rate at clock c = schedule(c)"
    if verdict.follows:
        return [
            f"The run follows the schedule: {verdict.points} rate{'s' * (verdict.points != 1)}, {clock}.",
            *verdict.notes,
        ]
    assert verdict.first is not None
    first = verdict.first
    told = [
        f"The run departs from the schedule at update {first.update:g}, which used {first.logged:.6g} and not "
        f"{first.intended:.6g}; the largest difference is {verdict.residual:.3g} of the peak ({clock})."
    ]
    told.append(f"{'Likely' if verdict.faults[0].name != 'unknown' else 'Cause'}: {listed(verdict.faults)}.")
    told += list(dict.fromkeys(fault.advice for fault in verdict.faults))
    told += [f"As well explained by: {listed(other)}." for other in verdict.alternatives]
    return [*told, *verdict.notes]


def listed(faults: tuple[Named, ...]) -> str:
    """Faults in a row, each with its parameters."""
    return ", and ".join(phrase(fault) for fault in faults)


def phrase(fault: Named) -> str:
    """A fault in a few words.

    >>> phrase(Named("stepped-too-often", 1, {"k": 4}, 0.5, 0.0))
    'stepped-too-often (k 4) from update 1'
    """
    given = ", ".join(f"{name} {shown(value)}" for name, value in fault.parameters.items())
    return f"{fault.name}{f' ({given})' if given else ''} from update {fault.from_update:g}"


def shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(shown, value[:8])) + (" ..." if len(value) > 8 else "")
    return f"{value:.6g}" if isinstance(value, float) else str(value)
