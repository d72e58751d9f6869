"""The toolbar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QAction, QActionGroup
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from ..theme import NAMES, Theme
from .bind import describe, dress, quiet
from .icons import bind_icon


class CameraPicker(QWidget):
    """A button for each camera of the night.

    Signals
    -------
    picked(tuple)
        Numbers of the cameras that are on.
    """

    picked = pyqtSignal(tuple)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("cameraPicker")
        self.setAccessibleName("Cameras")
        self._buttons: dict[int, QToolButton] = {}
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(2)

    def set_cameras(self, present: Mapping[int, str], shown: Iterable[int]) -> None:
        """Offer these cameras (number and what it is), with those in ``shown`` on."""
        shown = set(shown)
        if set(self._buttons) != set(present):
            for button in self._buttons.values():
                self._row.removeWidget(button)
                button.deleteLater()
            self._buttons = {}
            for number, what in sorted(present.items()):
                button = QToolButton()
                button.setText(f"C{number}")
                button.setCheckable(True)
                describe(button, f"Camera C{number}", what)
                button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
                button.toggled.connect(self._toggled)
                self._buttons[number] = button
                self._row.addWidget(button)
        with quiet(*self._buttons.values()):
            for number, button in self._buttons.items():
                button.setChecked(number in shown)

    def chosen(self) -> tuple[int, ...]:
        """Numbers of the cameras that are on."""
        return tuple(number for number, button in self._buttons.items() if button.isChecked())

    def _toggled(self, _on: bool) -> None:
        chosen = self.chosen()
        if chosen:
            self.picked.emit(chosen)
            return
        # At least one camera stays on.
        button = self.sender()
        if isinstance(button, QToolButton):
            with quiet(button):
                button.setChecked(True)


class ToolBar(QToolBar):
    """Open, instrument, cameras, watch, auto-select, masters, reduce, stop, undo, redo, theme, help."""

    instrumentPicked = pyqtSignal(str)

    def __init__(self, actions: Mapping[str, QAction], theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__("Toolbar", parent)
        self.setObjectName("toolBar")
        self.setMovable(False)
        self.setIconSize(QSize(18, 18))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._theme = theme
        self.open_button = self._tool("openButton", actions["open"], "Open")
        self.recent_menu = QMenu(self)
        self.open_button.setMenu(self.recent_menu)
        self.open_button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.instruments = QComboBox()
        self.instruments.setObjectName("instrumentPicker")
        self.instruments.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        describe(self.instruments, "Instrument", "Instrument of the night: found from the headers, or chosen here")
        self.instruments.activated.connect(self._instrument_activated)
        self.addWidget(self.instruments)
        self._gap(4)
        self.cameras = CameraPicker()
        self.addWidget(self.cameras)
        self._gap(4)
        self.watch = QToolButton()
        self.watch.setObjectName("watchButton")
        self.watch.setText("Watch")
        self.watch.setCheckable(True)
        self.watch.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        dress(self.watch, "watch", "Watch: take in frames as they arrive in the night")
        self.addWidget(self.watch)
        self.addSeparator()
        self.auto = self._tool("autoSelectButton", actions["auto_select"], "Auto-select")
        self.masters = self._tool("buildMastersButton", actions["masters"], "Build masters")
        self.reduce = self._tool("reduceButton", actions["reduce"], "Reduce")
        self.stop = self._tool("stopButton", actions["stop"], "Stop")
        self.stop.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.addSeparator()
        self._tool("undoButton", actions["undo"])
        self._tool("redoButton", actions["redo"])
        space = QWidget()
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(space)
        self.help_button = self._menu_button("helpButton", "help", "Help: keys, pages, about")
        self.view_button = self._menu_button("themeButton", "theme", "Theme and layout")
        self.theme_menu = self._theme_menu()

    def _tool(self, name: str, action: QAction, text: str = "") -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setDefaultAction(action)
        button.setAccessibleName(action.text())
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if text:
            action.setIconText(text)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.addWidget(button)
        return button

    def _menu_button(self, name: str, icon: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        dress(button, icon, tip)
        button.setMenu(QMenu(button))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.addWidget(button)
        return button

    def _gap(self, width: int) -> None:
        gap = QWidget()
        gap.setFixedWidth(width)
        self.addWidget(gap)

    def _theme_menu(self) -> QMenu:
        menu = self.view_button.menu()
        assert menu is not None
        group = QActionGroup(menu)
        titles = {"system": "As the system", "light": "Light", "dark": "Dark", "red": "Red, for the dome"}
        for name in NAMES:
            action = QAction(titles[name], menu, checkable=True, checked=name == self._theme.name)
            action.setData(name)
            action.triggered.connect(self._theme_chosen)
            group.addAction(action)
            menu.addAction(action)
        self._theme.changed.connect(self._theme_changed)
        return menu

    def _theme_chosen(self) -> None:
        action = self.sender()
        if isinstance(action, QAction):
            self._theme.set_name(action.data())

    def _theme_changed(self) -> None:
        for action in self.theme_menu.actions():
            if action.data() == self._theme.name:
                action.setChecked(True)

    def set_instruments(self, entries: Iterable[tuple[str, str]]) -> None:
        """Offer instruments: name and title; the first entry lets the headers decide."""
        with quiet(self.instruments):
            self.instruments.clear()
            self.instruments.addItem("Any instrument", "")
            for name, title in entries:
                self.instruments.addItem(title, name)

    def show_instrument(self, name: str) -> None:
        """Show the instrument of the night."""
        with quiet(self.instruments):
            self.instruments.setCurrentIndex(max(0, self.instruments.findData(name)))

    def set_stop(self, stopping: bool) -> None:
        """Say what the next click on Stop does."""
        action = self.stop.defaultAction()
        action.setIconText("Kill" if stopping else "Stop")
        bind_icon(action, "stop")

    def _instrument_activated(self, index: int) -> None:
        self.instrumentPicked.emit(self.instruments.itemData(index) or "")
