"""Icons by what they mean, in the colours of the theme."""

from __future__ import annotations

from typing import Protocol

import qtawesome
from PyQt6.QtCore import QObject
from PyQt6.QtGui import QIcon

from ..theme import colors, theme

#: What an icon is for -> its glyph in the icon font.
GLYPHS = {
    "open": "mdi6.folder-open-outline",
    "watch": "mdi6.eye-outline",
    "auto_select": "mdi6.auto-fix",
    "masters": "mdi6.layers-triple-outline",
    "reduce": "mdi6.play-circle-outline",
    "stop": "mdi6.stop-circle-outline",
    "undo": "mdi6.undo",
    "redo": "mdi6.redo",
    "theme": "mdi6.theme-light-dark",
    "accept": "mdi6.check-bold",
    "reject": "mdi6.close-thick",
    "rule": "mdi6.restore",
    "previous": "mdi6.chevron-left",
    "next": "mdi6.chevron-right",
    "play": "mdi6.play",
    "pause": "mdi6.pause",
    "flip": "mdi6.swap-horizontal",
    "fit": "mdi6.fit-to-page-outline",
    "actual": "mdi6.image-size-select-actual",
    "lock": "mdi6.lock-outline",
    "unlock": "mdi6.lock-open-variant-outline",
    "saturated": "mdi6.white-balance-sunny",
    "bad": "mdi6.dots-grid",
    "zoom": "mdi6.magnify-plus-outline",
    "contour": "mdi6.vector-curve",
    "find": "mdi6.magnify",
    "clear": "mdi6.close-circle-outline",
    "warning": "mdi6.alert-outline",
    "error": "mdi6.alert-circle-outline",
    "info": "mdi6.information-outline",
    "done": "mdi6.check",
    "skipped": "mdi6.debug-step-over",
    "failed": "mdi6.close-octagon-outline",
    "dropped": "mdi6.minus-circle-outline",
    "running": "mdi6.progress-clock",
    "folder": "mdi6.folder-outline",
    "file": "mdi6.file-outline",
    "copy": "mdi6.content-copy",
    "help": "mdi6.help-circle-outline",
    "keys": "mdi6.keyboard-outline",
    "settings": "mdi6.cog-outline",
    "demo": "mdi6.star-four-points-outline",
    "recent": "mdi6.history",
    "frames": "mdi6.image-multiple-outline",
    "chart": "mdi6.chart-line",
    "table": "mdi6.table",
    "save": "mdi6.content-save-outline",
    "refresh": "mdi6.refresh",
    "compare": "mdi6.compare",
    "more": "mdi6.dots-horizontal",
    "palette": "mdi6.palette-outline",
    "halves": "mdi6.view-split-vertical",
    "single": "mdi6.square-outline",
    "two_up": "mdi6.view-split-vertical",
    "four_up": "mdi6.view-grid-outline",
    "log": "mdi6.text-box-outline",
    "camera": "mdi6.camera-outline",
}


class TakesIcon(Protocol):
    """A button or an action."""

    def setIcon(self, icon: QIcon) -> None: ...


def icon(name: str, color: str | None = None) -> QIcon:
    """Return an icon by its meaning (see `GLYPHS`); the application must exist."""
    named = colors()
    return qtawesome.icon(
        GLYPHS[name],
        color=color or named.text,
        color_disabled=named.border,
        color_on=color or named.selection_text,
    )


class _Keeper(QObject):
    """Gives its owner a fresh icon when the theme changes."""

    def __init__(self, owner: QObject, name: str, tint: str | None) -> None:
        super().__init__(owner)
        self._owner, self._name, self._tint = owner, name, tint
        theme().changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        tint = getattr(colors(), self._tint) if self._tint else None
        self._owner.setIcon(icon(self._name, tint))  # type: ignore[attr-defined]

    def rename(self, name: str) -> None:
        self._name = name
        self.refresh()


def bind_icon(owner: QObject, name: str, tint: str | None = None) -> None:
    """Give a button or action an icon that follows the theme.

    Parameters
    ----------
    owner : QObject
        Anything with ``setIcon``.
    name : str
        Key of `GLYPHS`.
    tint : str, optional
        Name of a theme colour, such as ``"keep"``; the text colour otherwise.
    """
    for child in owner.children():
        if isinstance(child, _Keeper):
            child.rename(name)
            return
    _Keeper(owner, name, tint)
