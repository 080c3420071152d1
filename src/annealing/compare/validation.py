"""Reading what an experiment is made of: every error names the key by its path, its value, and what is allowed."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, ClassVar

from .. import ScheduleError
from ..exact import positive


class Described:
    """A frozen dataclass that `section` reads from its name and its fields."""

    # left out at their default: they came later, and older records keep their hash
    _later: ClassVar[tuple[str, ...]] = ()

    def description(self: Any) -> dict[str, Any]:
        """The name and the fields as plain data."""
        values = {"name": self.name}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name not in self._later or value != field.default:
                values[field.name] = plain_data(value, field.name)
        return values

    def _set(self, **values: Any) -> None:
        self.__dict__.update(values)


def entries(value: Any, path: str, allowed: Iterable[str]) -> dict[str, Any]:
    """Read a mapping whose keys are all allowed."""
    if not isinstance(value, Mapping):
        raise ScheduleError(f"{path} must be a mapping with keys among {', '.join(allowed)}, got {value!r}")
    known = [*allowed]
    for key in value:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, 1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise ScheduleError(f"{path}.{key} is no key{hint}; the keys are {', '.join(known)}")
    return dict(value)


def section(value: Any, path: str, kinds: Mapping[str, type]) -> Any:
    """Read a frozen value of one of several kinds: itself, its name, or a mapping with its name and its fields."""
    if isinstance(value, tuple({*kinds.values()})):
        return value
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping) or "name" not in value:
        raise ScheduleError(f"{path} must be a name among {', '.join(kinds)}, or a mapping with `name`, got {value!r}")
    kind = kinds[choice(value["name"], f"{path}.name", [*kinds])]
    fields = {field.name: field for field in dataclasses.fields(kind)}
    values = entries(value, path, ["name", *(name for name in fields if name != "name")])
    if "name" not in fields:
        values.pop("name")
    for name, field in fields.items():
        if name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise ScheduleError(f"{path}.{name} must be given")
    try:
        return kind(**values)
    except ScheduleError as error:
        raise ScheduleError(f"{path}.{error}") from None


def choice(value: Any, path: str, choices: Iterable[Any]) -> Any:
    """Read one of several values."""
    choices = [*choices]
    if not any(value == allowed and type(value) is type(allowed) for allowed in choices):
        raise ScheduleError(f"{path} must be one of {', '.join(map(str, choices))}, got {value!r}")
    return value


def number(value: Any, path: str, least: float = 0.0, below: float = math.inf) -> float:
    """Read a real number from `least` to below a limit."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < below:
        limit = f" and below {below:g}" if below < math.inf else ""
        raise ScheduleError(
            f"{path} must be a number of at least {least:g}{limit}, got {value!r}{_as_yaml_reads(value)}"
        )
    return float(value)


def duration(value: Any, path: str) -> Fraction:
    """Read a length of time above 0: a number, or a text such as "3/2"."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,40}/[1-9]\d{0,40}", value):
        value = Fraction(value)
    if isinstance(value, str):
        raise ScheduleError(f'{path} must be a number or a text such as "3/2", got {value!r}{_as_yaml_reads(value)}')
    return positive(value, path)


def plain_data(value: Any, path: str) -> Any:
    """Read what JSON can hold: mappings with text for keys, lists, text, finite numbers, true, false and null."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ScheduleError(f"keys of {path} must be text, got {key!r}")
        return {key: plain_data(part, f"{path}.{key}") for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(part, f"{path}[{index}]") for index, part in enumerate(value)]
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ScheduleError(f"{path} must be text, a finite number, true, false, null or lists of these, got {value!r}")


def _as_yaml_reads(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        return f", which YAML reads as text: write {float(value)!r}, or with a dot and a sign, such as 5.0e-4"
    return ""
