"""Binding a widget to a value once, without echoes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PyQt6.QtCore import QObject, Qt
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QAbstractButton, QWidget

from .icons import bind_icon


@contextmanager
def quiet(*objects: QObject) -> Iterator[None]:
    """Change widgets without their signals: the model said so, it need not be told."""
    before = [one.blockSignals(True) for one in objects]
    try:
        yield
    finally:
        for one, blocked in zip(objects, before, strict=True):
            one.blockSignals(blocked)


def describe(widget: QWidget, name: str, tip: str, keys: str = "") -> None:
    """Give a widget its accessible name, tooltip and the keys that do the same."""
    widget.setAccessibleName(name)
    widget.setToolTip(f"{tip}  ({keys})" if keys else tip)


def enable(target: QAction | QWidget, on: bool, why_not: str, tip: str) -> None:
    """Enable or disable an action or widget; disabled, its tooltip says why."""
    target.setEnabled(on)
    target.setToolTip(tip if on else why_not)


def dress(button: QAbstractButton, icon: str, tip: str, keys: str = "", tint: str | None = None) -> None:
    """Give a button an icon of the theme, a tooltip with its key and a name for a screen reader."""
    bind_icon(button, icon, tint)
    describe(button, tip.split(":")[0], tip, keys)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)


def key_text(sequence: str) -> str:
    """Return a key sequence as the system writes it."""
    return QKeySequence(sequence).toString(QKeySequence.SequenceFormat.NativeText)
