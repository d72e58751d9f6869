"""The style sheet, from the colours of a theme."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

from ..paths import resource

if TYPE_CHECKING:
    from .theme import Colors

_SHEET = Template("""
QMainWindow, QDialog { background: $window; }
QMainWindow::separator { background: $window; width: 5px; height: 5px; }
QMainWindow::separator:hover { background: $accent; }
QSplitter::handle { background: $window; }
QSplitter::handle:hover { background: $accent; }
QToolTip { background: $raised; color: $text; border: 1px solid $border; padding: 4px 6px; }

QToolBar { background: $panel; border: none; border-bottom: 1px solid $border; padding: 4px 6px; spacing: 3px; }
QToolBar::separator { background: $border; width: 1px; margin: 4px 6px; }
QToolBar QToolButton, QToolButton { background: transparent; border: 1px solid transparent; border-radius: 4px;
    padding: 3px 6px; color: $text; }
QToolButton:hover { background: $raised; border-color: $border; }
QToolButton:pressed, QToolButton:checked { background: $selection; border-color: $accent; color: $selection_text; }
QToolButton:disabled { color: $muted; background: transparent; border-color: transparent; }
QToolButton:focus { border-color: $accent; }
QToolButton::menu-button { border: none; width: 14px; }
QToolButton[popupMode="1"] { padding-right: 16px; }
QToolButton::menu-indicator { image: none; }

QPushButton { background: $raised; color: $text; border: 1px solid $border; border-radius: 4px; padding: 4px 12px; }
QPushButton:hover { border-color: $accent; }
QPushButton:pressed { background: $selection; }
QPushButton:focus { border-color: $accent; }
QPushButton:disabled { color: $muted; border-color: $border; background: $panel; }
QPushButton:checked { background: $selection; color: $selection_text; border-color: $accent; }
QPushButton[role="primary"] { background: $accent; color: $base; border-color: $accent; font-weight: 600; }
QPushButton[role="primary"]:hover { background: $median; }
QPushButton[role="primary"]:disabled { background: $raised; color: $muted; border-color: $border; }
QPushButton[role="keep"]:checked { background: $panel; color: $keep; border: 2px solid $keep; padding: 3px 11px; }
QPushButton[role="reject"]:checked { background: $panel; color: $reject; border: 2px solid $reject;
    padding: 3px 11px; }
QPushButton[role="link"] { background: transparent; border: none; color: $accent; text-align: left; padding: 3px 4px; }
QPushButton[role="link"]:hover { text-decoration: underline; }

QLineEdit, QPlainTextEdit, QTextEdit, QTextBrowser { background: $base; color: $text; border: 1px solid $border;
    border-radius: 4px; padding: 2px 5px; selection-background-color: $selection;
    selection-color: $selection_text; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus { border-color: $accent; }
QTreeView, QListView, QTableView, QTableWidget { background: $base; color: $text; border: none;
    alternate-background-color: $panel; gridline-color: $grid; outline: none;
    selection-background-color: $selection; selection-color: $selection_text; }
QTreeView::item { padding: 2px 0; }
QTreeView::item:selected, QListView::item:selected, QTableView::item:selected { background: $selection;
    color: $selection_text; }
QHeaderView { background: $panel; }
QHeaderView::section { background: $panel; color: $muted; border: none; border-bottom: 1px solid $border;
    border-right: 1px solid $grid; padding: 3px 6px; }
QTableCornerButton::section { background: $panel; border: none; }

QTabWidget::pane { border: none; background: $window; }
QTabBar { background: $window; qproperty-drawBase: 0; }
QTabBar::tab { background: transparent; color: $muted; padding: 6px 16px; border: none;
    border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: $text; border-bottom: 2px solid $accent; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:focus { color: $accent; }

QDockWidget { color: $muted; titlebar-close-icon: none; titlebar-normal-icon: none; }
QDockWidget::title { background: $panel; padding: 5px 8px; border-bottom: 1px solid $border; text-align: left; }
QDockWidget > QWidget { background: $panel; }
QStatusBar { background: $panel; color: $muted; border-top: 1px solid $border; }
QStatusBar::item { border: none; }
QStatusBar QLabel { padding: 0 6px; }
QMenu { background: $panel; color: $text; border: 1px solid $border; padding: 4px 0; }
QMenu::item { padding: 4px 28px 4px 24px; }
QMenu::item:selected { background: $selection; color: $selection_text; }
QMenu::item:disabled { color: $muted; }
QMenu::separator { height: 1px; background: $border; margin: 4px 8px; }

QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: $border; border-radius: 4px; min-height: 28px; min-width: 28px; margin: 1px; }
QScrollBar::handle:hover { background: $muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QProgressBar { background: $base; border: 1px solid $border; border-radius: 4px; text-align: center; color: $text;
    max-height: 16px; }
QProgressBar::chunk { background: $selection; border-radius: 3px; }
QCheckBox { spacing: 6px; }
QCheckBox::indicator, QTreeView::indicator, QListView::indicator { width: 13px; height: 13px;
    border: 1px solid $muted; border-radius: 3px; background: $base; }
QCheckBox::indicator:hover, QCheckBox::indicator:focus { border-color: $accent; }
QCheckBox::indicator:checked, QTreeView::indicator:checked, QListView::indicator:checked { background: $accent;
    border-color: $accent; image: url("$tick"); }
QCheckBox::indicator:disabled { border-color: $border; background: $panel; }
QCheckBox:disabled { color: $muted; }
QGroupBox { border: 1px solid $border; border-radius: 5px; margin-top: 8px; padding-top: 8px; }
QGroupBox::title { subcontrol-origin: margin; left: 10px; padding: 0 4px; color: $muted; }

QLabel[role="muted"] { color: $muted; }
QLabel[role="title"] { font-size: 16pt; font-weight: 600; color: $text; }
QLabel[role="heading"] { font-weight: 600; color: $text; }
QLabel[role="warning"] { color: $warning; }
QLabel[role="error"] { color: $reject; }
QLabel[role="keep"] { color: $keep; font-weight: 600; }
QLabel[role="reject"] { color: $reject; font-weight: 600; }
QFrame[role="bar"] { background: $panel; border: none; }
QFrame[role="card"] { background: $panel; border: 1px solid $border; border-radius: 6px; }
QFrame[role="notice"] { background: $panel; border-left: 3px solid $warning; }
""")


def style_sheet(named: Colors, dark: bool) -> str:
    """Return the style sheet of a theme; the tick on an accent is black where the accent is bright."""
    tick = resource("icons", "tick-black.png" if dark else "tick-white.png").as_posix()
    return _SHEET.substitute({name: getattr(named, name) for name in named.__slots__}, tick=tick)
