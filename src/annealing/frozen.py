"""Frozen values with fields, like frozen dataclasses: no code is generated for them, which would slow the import."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import Any, ClassVar, dataclass_transform

from .calls import bound


class Fields:
    """The signature of a class of values, made when it is asked for."""

    def __get__(self, value: Any, kind: type[Value]) -> Signature:
        missing = Parameter.empty
        return Signature(
            [
                Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=getattr(kind, name, missing))
                for name in kind._fields
            ]
        )


@dataclass_transform(frozen_default=True, eq_default=False)
class Value:
    """A value whose fields are what its class annotates, given in that order or by name; it can not be changed.

    A class may set `__post_init__`, which checks and replaces its fields through `_set`.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    __signature__: ClassVar[Any] = Fields()

    def __init_subclass__(cls) -> None:
        # As text, since evaluating annotations would import what they name.
        annotated = vars(cls).get("__annotations__", {}).items()
        own = [name for name, kind in annotated if not name.startswith("_") and "ClassVar" not in kind]
        cls._fields = (*cls._fields, *own)

    def __init__(self, *values: Any, **named: Any) -> None:
        if named or len(values) != len(self._fields):
            given = bound(type(self).__name__, self.__signature__, values, named)
            given.apply_defaults()
            values = given.args
        # Not object.__setattr__ for each field: one update of the dictionary is several times as fast.
        self._set(**dict(zip(self._fields, values, strict=True)))
        self.__post_init__()

    def __post_init__(self) -> None:
        pass

    def _set(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} can not be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} can not be deleted")
