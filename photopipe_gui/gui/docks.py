"""The docks: night, histogram, header, inspect, log."""

from __future__ import annotations

from PyQt6.QtCore import QObject, QSize, Qt, QTimer
from PyQt6.QtWidgets import QDockWidget, QMainWindow, QMenu, QWidget

from .models.night import NightModel
from .models.picture import FramePicture
from .widgets.header_view import HeaderView
from .widgets.histogram import HistogramView
from .widgets.inspect_view import InspectView
from .widgets.log_view import LogView
from .widgets.night_tree import NightTree

_LEFT, _RIGHT, _LOG = 196, 268, 110
_OF_FRAME = ("histogram", "header", "inspect")


class _Sized(QDockWidget):
    """A dock that asks for a certain size at first."""

    def __init__(self, title: str, name: str, content: QWidget, parent: QWidget) -> None:
        super().__init__(title, parent)
        self.setObjectName(name)
        self.setWidget(content)
        self.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable
            | QDockWidget.DockWidgetFeature.DockWidgetClosable
            | QDockWidget.DockWidgetFeature.DockWidgetFloatable
        )

    def minimumSizeHint(self) -> QSize:
        return QSize(150, 60)


class Docks(QObject):
    """Makes the docks of a window and keeps them in order."""

    def __init__(self, window: QMainWindow, session: NightModel) -> None:
        super().__init__(window)
        self._window = window
        self.tree = NightTree(session)
        self.histogram = HistogramView()
        self.histogram.setObjectName("histogram")
        self.header = HeaderView()
        self.inspect = InspectView()
        self.log = LogView()
        self._docks = {
            "night": _Sized("Night", "nightDock", self.tree, window),
            "histogram": _Sized("Histogram", "histogramDock", self.histogram, window),
            "header": _Sized("Header", "headerDock", self.header, window),
            "inspect": _Sized("Inspect", "inspectDock", self.inspect, window),
            "log": _Sized("Log", "logDock", self.log, window),
        }
        window.setDockOptions(QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.AllowTabbedDocks)
        for corner, area in (
            (Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.BottomDockWidgetArea),
            (Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.BottomDockWidgetArea),
        ):
            window.setCorner(corner, area)
        self._open = False
        self._frames_in_front = True
        self._sized = False
        self._hidden: set[str] = {"log"}
        self.reset()

    def reset(self) -> None:
        """Put every dock where it is at the first start."""
        window, docks = self._window, self._docks
        area = Qt.DockWidgetArea
        for dock in docks.values():
            dock.setFloating(False)
        window.addDockWidget(area.LeftDockWidgetArea, docks["night"])
        window.addDockWidget(area.RightDockWidgetArea, docks["histogram"])
        window.addDockWidget(area.RightDockWidgetArea, docks["header"])
        window.splitDockWidget(docks["histogram"], docks["header"], Qt.Orientation.Vertical)
        window.addDockWidget(area.RightDockWidgetArea, docks["inspect"])
        window.splitDockWidget(docks["header"], docks["inspect"], Qt.Orientation.Vertical)
        window.addDockWidget(area.BottomDockWidgetArea, docks["log"])
        self._hidden = {"log"}
        self._sized = False
        self._show()

    def set_sizes(self) -> None:
        """Give the docks their first sizes; Qt forgets them while docks are hidden."""
        window, docks = self._window, self._docks
        window.resizeDocks([docks["night"], docks["histogram"]], [_LEFT, _RIGHT], Qt.Orientation.Horizontal)
        inspect = docks["inspect"].sizeHint().height()
        rest = max(150, window.height() - 110 - inspect)
        heights = [min(220, rest // 2), max(100, rest - 220), inspect]
        right = [docks[name] for name in ("histogram", "header", "inspect")]
        window.resizeDocks(right, heights, Qt.Orientation.Vertical)
        window.resizeDocks([docks["log"]], [_LOG], Qt.Orientation.Vertical)

    def set_night_open(self, is_open: bool) -> None:
        """Without a night there is nothing to show in the docks."""
        self._note_hidden()
        self._open = is_open
        self._show()

    def set_frames_in_front(self, on: bool) -> None:
        """Histogram, header and numbers are of the frame looked at; the other tabs get their room."""
        if on != self._frames_in_front:
            self._note_hidden()
            self._frames_in_front = on
            self._show()

    def layout_restored(self) -> None:
        """Qt put the docks where they were; the choice of which are shown follows."""
        self._sized = True
        self._hidden = {name for name, dock in self._docks.items() if dock.isHidden()}
        self._show()

    def _note_hidden(self) -> None:
        """Remember which docks the observer closed."""
        if not self._open:
            return
        for name, dock in self._docks.items():
            if name not in _OF_FRAME or self._frames_in_front:
                self._hidden = self._hidden | {name} if dock.isHidden() else self._hidden - {name}

    def _show(self) -> None:
        for name, dock in self._docks.items():
            wanted = self._open and name not in self._hidden
            dock.setVisible(wanted and (self._frames_in_front or name not in _OF_FRAME))
        if self._open and self._frames_in_front and not self._sized:
            self._sized = True
            QTimer.singleShot(0, self.set_sizes)

    def show_log(self) -> None:
        """Bring the log up."""
        self._docks["log"].show()

    def add_toggles(self, menu: QMenu) -> None:
        """Add an entry for each dock to a menu."""
        for dock in self._docks.values():
            menu.addAction(dock.toggleViewAction())

    def show_header(self, picture: FramePicture | None) -> None:
        """Show the header of the frame looked at."""
        self.header.set_cards(picture.cards if picture is not None else ())

    def show_frame(self, session: NightModel) -> None:
        """Show histogram and numbers of the frame looked at."""
        row, stats = session.row(session.current), session.stats.get(session.current)
        self.inspect.show_frame(row, stats)
        if row is None or stats is None or not stats.histogram.any():
            self.histogram.clear()
            return
        limits = session.limits[row.ftype]
        self.histogram.set_histogram(
            stats.histogram,
            saturation=row.saturation,
            median=stats.median,
            amin=limits.amin if limits.amin > 0 else None,
            amax=limits.amax if limits.amax < 1 else None,
        )
