"""The actions of the window: made from the table, connected, enabled as the tab in front and the state allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QAbstractButton, QApplication, QComboBox, QMainWindow

from .actions import ACTIONS, ActionSpec
from .widgets.icons import bind_icon

_EXTRA = ActionSpec("auto_select", "Auto-select by the rules", (), icon="auto_select")


def press_focused() -> bool:
    """Press the button or open the list that has the focus, as Space does everywhere; False when neither has."""
    focused = QApplication.focusWidget()
    if isinstance(focused, QAbstractButton):
        focused.click()
    elif isinstance(focused, QComboBox):
        focused.showPopup()
    else:
        return False
    return True


class CommandMap:
    """Actions by name.

    Parameters
    ----------
    window : QMainWindow
        Owns the actions; their keys work wherever the focus is in it, but not in a text field.
    commands : mapping of name to callable
        What the window itself does.
    page_commands : callable
        Returns what the tab in front does, by name.
    """

    def __init__(
        self,
        window: QMainWindow,
        commands: Mapping[str, Callable[[], Any]],
        page_commands: Callable[[], Mapping[str, Callable[[], Any]]],
    ) -> None:
        self._commands, self._page_commands = commands, page_commands
        self.actions: dict[str, QAction] = {}
        self._specs = {spec.name: spec for spec in (*ACTIONS, _EXTRA)}
        for spec in self._specs.values():
            action = QAction(spec.text, window)
            action.setObjectName(f"{spec.name}Action")
            action.setShortcuts([QKeySequence(key) for key in spec.keys])
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            action.setAutoRepeat(spec.repeats)
            if spec.icon:
                bind_icon(action, spec.icon)
            action.triggered.connect(partial(self._run, spec.name))
            window.addAction(action)
            self.actions[spec.name] = action
            self.describe(spec.name, "")

    def _run(self, name: str, _checked: bool = False) -> None:
        if name == "play" and press_focused():
            return
        command = self._page_commands().get(name) if self._specs[name].page else self._commands.get(name)
        if command is not None:
            command()

    def describe(self, name: str, text: str) -> None:
        """Set the tooltip of an action (its own text when empty), with its keys."""
        spec, action = self._specs[name], self.actions[name]
        keys = ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts())
        action.setToolTip(f"{text or spec.text}  ({keys})" if keys else text or spec.text)

    def refresh(self, why_not: Mapping[str, str]) -> None:
        """Enable actions: those of the tab in front, and of the window those without a reason against them.

        A disabled action says the reason in its tooltip.
        """
        offered = self._page_commands()
        for name, spec in self._specs.items():
            if spec.page:
                self.actions[name].setEnabled(name in offered)
        for name, reason in why_not.items():
            self.actions[name].setEnabled(not reason)
            self.describe(name, reason and f"{self._specs[name].text}: {reason}")
