"""Parts of the image view: its view box, and scaling off the UI thread."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PyQt6.QtCore import QObject, QRunnable, Qt, pyqtSignal

from .. import display


class Answer(QObject):
    """Carries indices from the scaling thread to the view."""

    done = pyqtSignal(int, object)


class Scaling(QRunnable):
    """One image being turned into display indices off the UI thread."""

    def __init__(self, answer: Answer, serial: int, request: dict[str, Any]) -> None:
        super().__init__()
        self._answer, self._serial, self._request = answer, serial, request

    def run(self) -> None:
        self._answer.done.emit(self._serial, display.to_indices(**self._request))


class ImageBox(pg.ViewBox):
    """A view box that zooms with the wheel, pans with the drag, and reports clicks."""

    clicked = pyqtSignal(float, float)
    fitted = pyqtSignal()

    def __init__(self) -> None:
        super().__init__(lockAspect=True, enableMenu=False, defaultPadding=0.0)

    def mouseClickEvent(self, ev: Any) -> None:
        if ev.button() == Qt.MouseButton.LeftButton:
            point = self.mapSceneToView(ev.scenePos())
            if ev.double():
                self.fitted.emit()
            else:
                self.clicked.emit(point.x(), point.y())
            ev.accept()

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:
        if ev.button() == Qt.MouseButton.RightButton:
            ev.ignore()
            return
        super().mouseDragEvent(ev, axis)
