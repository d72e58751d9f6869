"""Parameters as dataclasses that describe themselves; the command line, the form and the help are made from them."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """What a parameter says of itself."""

    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    advanced: bool = False


def option(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    advanced: bool = False,
) -> Any:
    """Return a dataclass field with a default and a description."""
    described = Option(help, unit, low, high, tuple(choices), advanced)
    return dataclasses.field(default=default, metadata={"option": described})


def options_of(params: Any) -> dict[str, Option]:
    """Return the options of a parameter dataclass (class or instance) by name, in order."""
    return {f.name: f.metadata["option"] for f in dataclasses.fields(params) if "option" in f.metadata}


def validate(params: Any) -> None:
    """Check every option against its limits and choices.

    Raises
    ------
    UsageError
        With the name, the value and what is allowed.
    """
    for name, described in options_of(params).items():
        value = getattr(params, name)
        if described.choices and value not in described.choices:
            raise UsageError(f"{name} is {value!r}; it must be one of {', '.join(described.choices)}.")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            too_low = described.low is not None and value < described.low
            too_high = described.high is not None and value > described.high
            if too_low or too_high:
                raise UsageError(f"{name} is {value}; it must lie between {described.low} and {described.high}.")


def from_mapping(cls: type[T], values: Mapping[str, Any]) -> T:
    """Build parameters from names and values.

    Raises
    ------
    UsageError
        For an unknown name (with the nearest known one) or a value outside its limits.
    """
    known = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise UsageError(f"There is no option {name}.{hint}")
    params = cls(**values)
    validate(params)
    return params
