"""The arguments of a call: bound to a signature, with errors that say what it takes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from inspect import BoundArguments, Parameter, Signature, isfunction, signature
from typing import Any, ParamSpec, TypeVar

from .errors import ScheduleError
from .printing import counted, literal


class Required:
    """The default of an argument that must be given although one before it may be left out."""

    def __repr__(self) -> str:
        return "required"


REQUIRED: Any = Required()
STARS: dict[Any, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=type)


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with a ScheduleError that shows its signature where it is called with wrong arguments."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TypeError:
            # Only a call that fails pays for a look at the signature; an error from inside the function stays as it is.
            taken, method = signature(function), "." in function.__qualname__
            own = list(taken.parameters.values())[method:]
            name = function.__qualname__.removesuffix(".__init__") if method else function.__name__
            bound(name, taken.replace(parameters=own), args[method:], kwargs)
            raise

    return call


def checked_methods(cls: T) -> T:
    """The class, whose public methods are `checked`."""
    for name, value in vars(cls).copy().items():
        if isfunction(value) and not name.startswith("_"):
            setattr(cls, name, checked(value))
    return cls


def bound(name: str, taken: Signature, args: Collection[Any], kwargs: Mapping[str, Any]) -> BoundArguments:
    """The arguments by name; a ScheduleError says what is wrong with them, and shows the signature of `name`."""
    try:
        found = taken.bind(*args, **kwargs)
    except TypeError:
        raise _error(_mistake(name, taken.parameters, args, kwargs), name, taken) from None
    needed = [key for key, parameter in taken.parameters.items() if parameter.default is REQUIRED]
    if missing := [key for key in needed if key not in found.arguments]:
        raise _error(f"{name} needs {', '.join(missing)}", name, taken)
    return found


def required(parameter: Parameter) -> bool:
    return parameter.default in (Parameter.empty, REQUIRED)


def shown(name: str, taken: Signature) -> str:
    """A signature as it is written in a call, without annotations."""
    parts: list[str] = []
    for parameter in taken.parameters.values():
        star = STARS.get(parameter.kind, "")
        # What follows a bare * is given by name; after *args it is in any case.
        if parameter.kind is Parameter.KEYWORD_ONLY and not any(part[:1] == "*" for part in parts):
            parts.append("*")
        default = "" if star or required(parameter) else f"={literal(parameter.default)}"
        parts.append(f"{star}{parameter.name}{default}")
    return f"{name}({', '.join(parts)})"


def _error(mistake: str, name: str, taken: Signature) -> ScheduleError:
    return ScheduleError(f"{mistake}{'' if mistake.endswith('?') else ';'} signature: {shown(name, taken)}")


def _mistake(name: str, parameters: Mapping[str, Parameter], args: Collection[Any], kwargs: Mapping[str, Any]) -> str:
    for word in kwargs:
        if word not in parameters:
            return f"{name} has no argument {word!r}{did_you_mean(word, parameters)}"
    places = [key for key, parameter in parameters.items() if parameter.kind is Parameter.POSITIONAL_OR_KEYWORD]
    if len(args) > len(places):
        named = [key for key in parameters if key not in places]
        rest = f"; {', '.join(named)} must be given by name" if named else ""
        if not places:
            return f"{name} takes its arguments by name, got {len(args)} by position"
        return f"{name} takes at most {counted(len(places), 'argument')} by position, got {len(args)}{rest}"
    if twice := [key for key in places[: len(args)] if key in kwargs]:
        return f"{name} got {twice[0]} twice, by position and by name"
    given = {*places[: len(args)], *kwargs}
    return f"{name} needs {', '.join(key for key in parameters if required(parameters[key]) and key not in given)}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known name that is nearest to a word, as the end of a message; empty if none is near."""
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), names, n=1, cutoff=0.55)
    return f": did you mean {names[near[0]]}?" if near else ""
