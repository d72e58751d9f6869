"""A parameter dataclass as a form: fields with kind, limits and help, values with their errors."""

from __future__ import annotations

import dataclasses
import shlex
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from ...errors import UsageError
from ...reduction.params import Option, from_mapping, options_of

#: Text parameters that name a file.
_FILES = ("refcat", "customcat")
#: Spellings of flags that the command line has for another reason than the rule below.
_FLAGS = {("mastersky", False): "--nomastersky"}


@dataclass(frozen=True, slots=True)
class Field:
    """One line of the form.

    Attributes
    ----------
    name : str
        Name of the parameter, as the command line and scripts have it.
    kind : str
        ``bool``, ``int``, ``float``, ``choice``, ``path``, ``list`` (of words), ``text``, or ``file`` (text that names
        a file).
    default : object
    option : Option
        Help, unit, limits.
    optional : bool
        Whether the value may be None.
    """

    name: str
    kind: str
    default: Any
    option: Option
    optional: bool = False

    @property
    def tooltip(self) -> str:
        """Help, limits and default in words."""
        described = self.option
        lines = [described.help]
        unit = f" {described.unit}" if described.unit else ""
        if described.low is not None and described.high is not None:
            lines.append(f"From {described.low:g} to {described.high:g}{unit}.")
        elif described.low is not None:
            lines.append(f"At least {described.low:g}{unit}.")
        lines.append(f"In scripts and on the command line: {self.name}. Default: {show_value(self.default)}.")
        return "\n".join(lines)


def show_value(value: Any) -> str:
    """Return a value as the observer reads it."""
    if value is None or value == "" or value == ():
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (tuple, list)):
        return ", ".join(str(item) for item in value)
    return str(value)


def _kind(hint: Any, option: Option) -> tuple[str, bool]:
    """Return the kind of a type hint, and whether None is allowed."""
    parts = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    optional = type(None) in parts
    kinds = [part for part in parts if part is not type(None)]
    first = kinds[0] if kinds else str
    origin = typing.get_origin(first)
    if option.choices:
        return "choice", optional
    if bool in kinds:
        return "bool", optional
    if origin in (tuple, list) or first in (tuple, list):
        return "list", optional
    if any(isinstance(part, type) and issubclass(part, Path) for part in kinds):
        return "path", optional
    return {int: "int", float: "float"}.get(first, "text"), optional


def fields_of(cls: type) -> tuple[Field, ...]:
    """Return the fields of a parameter dataclass made with `reduction.params.option`, in order."""
    hints = typing.get_type_hints(cls)
    options = options_of(cls)
    found = []
    for entry in dataclasses.fields(cls):
        if entry.name not in options:
            continue
        kind, optional = _kind(hints[entry.name], options[entry.name])
        if kind == "text" and entry.name in _FILES:
            kind = "file"
        default = entry.default if entry.default is not dataclasses.MISSING else None
        found.append(Field(entry.name, kind, default, options[entry.name], optional))
    return tuple(found)


class ParamForm(QObject):
    """Values of a parameter dataclass while they are edited.

    Signals
    -------
    changed(str)
        Name of the parameter whose value (or error) changed.
    """

    changed = pyqtSignal(str)

    def __init__(self, cls: type, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cls = cls
        self.fields = fields_of(cls)
        self._by_name = {entry.name: entry for entry in self.fields}
        self._values: dict[str, Any] = {entry.name: entry.default for entry in self.fields}
        self._errors: dict[str, str] = {}

    def field(self, name: str) -> Field:
        """Return a field by name."""
        return self._by_name[name]

    def value(self, name: str) -> Any:
        """Return the present value."""
        return self._values[name]

    def error(self, name: str) -> str:
        """Return what is wrong with a value; empty when nothing is."""
        return self._errors.get(name, "")

    @property
    def valid(self) -> bool:
        """True when every value may be used."""
        return not self._errors

    def set_value(self, name: str, value: Any) -> bool:
        """Set a value from a widget or a file; return False (and keep it, with an error) when it is not allowed."""
        entry = self._by_name[name]
        try:
            value, error = _converted(entry, value), ""
            from_mapping(self._cls, {name: value})
        except UsageError as problem:
            error = str(problem)
        same = value == self._values[name] and error == self._errors.get(name, "")
        self._values[name] = value
        if error:
            self._errors[name] = error
        else:
            self._errors.pop(name, None)
        if not same:
            self.changed.emit(name)
        return not error

    def changes(self) -> dict[str, Any]:
        """Return the values that are not the default, by name."""
        return {entry.name: self._values[entry.name] for entry in self.fields if not self.is_default(entry.name)}

    def is_default(self, name: str) -> bool:
        """Return whether a value is the default."""
        return bool(self._values[name] == self._by_name[name].default)

    def reset(self) -> None:
        """Return to the defaults."""
        for entry in self.fields:
            self.set_value(entry.name, entry.default)

    def params(self, **more: Any) -> Any:
        """Build the dataclass.

        Raises
        ------
        UsageError
            When a value is not allowed.
        """
        for problem in self._errors.values():
            raise UsageError(problem)
        return from_mapping(self._cls, {**self._values, **more})

    def as_json(self) -> dict[str, Any]:
        """Return the changed values as plain types, to keep them in the session."""
        return {name: _plain(value) for name, value in self.changes().items()}

    def restore(self, values: Mapping[str, Any]) -> None:
        """Take values kept by `as_json`; names of another version are ignored."""
        for name, value in values.items():
            if name in self._by_name:
                self.set_value(name, value)

    def arguments(self) -> list[str]:
        """Return the changed values as arguments of the command line."""
        found: list[str] = []
        for name, value in self.changes().items():
            flag = "--" + name.replace("_", "-")
            if isinstance(value, bool):
                found.append(_FLAGS.get((name, value), flag if value else f"--no-{flag[2:]}"))
            elif value is not None:
                text = ",".join(str(item) for item in value) if isinstance(value, (tuple, list)) else str(value)
                found += [flag, text]
        return found

    def command_line(self, night: Path | str, instrument: str, more: Sequence[str] = ()) -> str:
        """Return the reduction with these values (and ``more`` arguments) as a command line."""
        words = ["photopipe-gui", "reduce", str(night), "--instrument", instrument, *self.arguments(), *more]
        return shlex.join(words)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _converted(entry: Field, value: Any) -> Any:
    """Return what a widget or a file gave as the type of the field; UsageError when it cannot be."""
    empty = value is None or (isinstance(value, str) and not value.strip())
    if entry.kind == "bool":
        return bool(value)
    if entry.kind == "list":
        words = value.replace(",", " ").split() if isinstance(value, str) else list(value or ())
        return tuple(str(word) for word in words)
    if empty:
        return None if entry.optional else ("" if entry.kind in ("text", "choice", "file") else entry.default)
    if entry.kind in ("int", "float"):
        try:
            return int(value) if entry.kind == "int" else float(value)
        except (TypeError, ValueError):
            raise UsageError(f"{entry.name} is {value!r}; it must be a number.") from None
    if entry.kind == "path":
        return Path(str(value)).expanduser()
    return str(value).strip()
