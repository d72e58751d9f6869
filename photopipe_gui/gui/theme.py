"""Light, dark and red themes: named colours, palette and style sheet, all from one table."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pyqtgraph as pg
from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QGuiApplication, QPalette
from PyQt6.QtWidgets import QApplication, QStyleFactory

from .stylesheet import style_sheet

#: Once for the whole program: images are indexed [row, column] as in FITS and numpy.
pg.setConfigOptions(imageAxisOrder="row-major", antialias=True)

NAMES = ("system", "light", "dark", "red")


@dataclass(frozen=True, slots=True)
class Colors:
    """The colours of a theme by what they mean; all ``#rrggbb``."""

    window: str  #: behind everything
    panel: str  #: docks, toolbar
    base: str  #: lists, text fields
    raised: str  #: buttons, hovered rows
    border: str
    text: str
    muted: str  #: secondary text
    accent: str  #: focus, the selected frame, links
    selection: str  #: background of a selected row
    selection_text: str
    keep: str
    reject: str
    hand: str  #: ring of what was set by hand
    warning: str
    limit: str  #: amin and amax
    median: str  #: median marker in the histogram
    plot: str  #: background of plots
    grid: str
    bars: str  #: histogram filling
    image: str  #: behind an image
    saturated: str
    bad: str  #: bad pixels and NaN


LIGHT = Colors(
    window="#eceef1", panel="#f5f6f8", base="#ffffff", raised="#e3e7ec", border="#cdd3da", text="#1c2229",
    muted="#5d6875", accent="#1f66c1", selection="#cfe1f7", selection_text="#10233a", keep="#177245",
    reject="#b3341f", hand="#8a4fc0", warning="#8f6000", limit="#b86a00", median="#1f66c1", plot="#ffffff",
    grid="#d9dee4", bars="#7c93ad", image="#20242a", saturated="#ff2a2a", bad="#00a7b5",
)  # fmt: skip
DARK = Colors(
    window="#191c20", panel="#20242a", base="#15181c", raised="#2d333b", border="#39414b", text="#dde3ea",
    muted="#93a0ae", accent="#5aa5f5", selection="#25466d", selection_text="#f2f6fb", keep="#53c48c",
    reject="#f0735f", hand="#c79bf2", warning="#e3b04b", limit="#f0a840", median="#5aa5f5", plot="#15181c",
    grid="#2c333b", bars="#5b7188", image="#0c0e10", saturated="#ff3b3b", bad="#25c6d6",
)  # fmt: skip
RED = Colors(
    window="#120404", panel="#190606", base="#0d0202", raised="#2c0c0a", border="#4a1511", text="#e2584a",
    muted="#a03c32", accent="#ff7a5c", selection="#4d130d", selection_text="#ff9a86", keep="#ff9a7a",
    reject="#d8442f", hand="#ffb08a", warning="#ff8a50", limit="#ff9040", median="#ff7a5c", plot="#0d0202",
    grid="#2c0c0a", bars="#7a241b", image="#080101", saturated="#ffb060", bad="#6a5020",
)  # fmt: skip
_TABLE = {"light": LIGHT, "dark": DARK, "red": RED}


class Theme(QObject):
    """The theme in use; there is one, see `theme`.

    Signals
    -------
    changed
        After palette, style sheet and plot colours changed: redraw what was painted by hand.
    """

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self._name = "system"
        self._shown = ""

    @property
    def name(self) -> str:
        """The observer's choice, one of `NAMES`."""
        return self._name

    @property
    def shown(self) -> str:
        """The theme on screen: ``light``, ``dark`` or ``red``."""
        return self._shown or self._resolve()

    def colors(self) -> Colors:
        """The colours on screen."""
        return _TABLE[self.shown]

    def set_name(self, name: str) -> None:
        """Choose a theme; an unknown name means the system's."""
        self._name = name if name in NAMES else "system"
        self.apply()

    def apply(self) -> None:
        """Dress the application."""
        app = QApplication.instance()
        if not isinstance(app, QApplication):
            return
        if not self._shown:
            app.setStyle(QStyleFactory.create("Fusion"))
            QGuiApplication.styleHints().colorSchemeChanged.connect(self._system_changed)
        self._shown = self._resolve()
        named = self.colors()
        app.setPalette(_palette(named))
        app.setStyleSheet(style_sheet(named, self._shown != "light"))
        pg.setConfigOptions(background=named.plot, foreground=named.muted)
        self.changed.emit()

    def _resolve(self) -> str:
        if self._name != "system":
            return self._name
        app = QGuiApplication.instance()
        dark = isinstance(app, QGuiApplication) and app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return "dark" if dark else "light"

    def _system_changed(self, _scheme: Qt.ColorScheme) -> None:
        if self._name == "system" and self._resolve() != self._shown:
            self.apply()


def _palette(named: Colors) -> QPalette:
    """Qt's palette from the named colours."""
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    palette = QPalette()
    table = {
        role.Window: named.panel, role.WindowText: named.text, role.Base: named.base, role.Text: named.text,
        role.AlternateBase: named.panel, role.Button: named.raised, role.ButtonText: named.text,
        role.BrightText: named.reject, role.Highlight: named.selection, role.HighlightedText: named.selection_text,
        role.ToolTipBase: named.raised, role.ToolTipText: named.text, role.PlaceholderText: named.muted,
        role.Link: named.accent, role.LinkVisited: named.accent, role.Light: named.raised, role.Midlight: named.raised,
        role.Mid: named.border, role.Dark: named.border, role.Shadow: named.border, role.Accent: named.accent,
    }  # fmt: skip
    for key, value in table.items():
        palette.setColor(key, QColor(value))
    faint = QColor(named.muted)
    faint.setAlpha(150)
    for key in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(group.Disabled, key, faint)
    return palette


_theme: Theme | None = None


def theme() -> Theme:
    """The theme of the program."""
    global _theme
    if _theme is None:
        _theme = Theme()
    return _theme


def colors() -> Colors:
    """The colours on screen, by name."""
    return theme().colors()


def color_names() -> tuple[str, ...]:
    """Names of all colours a theme must define."""
    return tuple(f.name for f in fields(Colors))
