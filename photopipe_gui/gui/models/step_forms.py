"""The options of each step as forms, and what was changed in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from .param_form import ParamForm


class StepForms(QObject):
    """One form a step.

    Signals
    -------
    changed()
        A value changed.
    """

    changed = pyqtSignal()

    def __init__(self, steps: Sequence[tuple[str, type]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.forms = {name: ParamForm(params, self) for name, params in steps}
        for form in self.forms.values():
            form.changed.connect(self._changed)

    def _changed(self, _name: str) -> None:
        self.changed.emit()

    @property
    def valid(self) -> bool:
        """True when every value may be used."""
        return all(form.valid for form in self.forms.values())

    def overrides(self) -> dict[str, dict[str, Any]]:
        """Return what differs from the defaults, by step."""
        return {name: form.changes() for name, form in self.forms.items() if form.changes()}

    def count(self) -> int:
        """Return how many options differ from their defaults."""
        return sum(len(form.changes()) for form in self.forms.values())

    def reset(self) -> None:
        """Return to the defaults everywhere."""
        for form in self.forms.values():
            form.reset()

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return the changes as plain types."""
        return {name: form.as_json() for name, form in self.forms.items() if form.changes()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take changes kept by `as_json`; steps and names of another version are ignored."""
        for name, values in saved.items():
            if name in self.forms and isinstance(values, Mapping):
                self.forms[name].restore(values)

    def arguments(self) -> list[str]:
        """Return the changes as arguments of the command line: ``--set crclean.sigclip=10``."""
        found = []
        for step, changes in self.overrides().items():
            for option, value in changes.items():
                text = str(value).lower() if isinstance(value, bool) else str(value)
                found += ["--set", f"{step}.{option}={text}"]
        return found
