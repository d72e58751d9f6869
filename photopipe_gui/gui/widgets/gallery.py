"""The gallery: all frames shown as thumbnails, in the place of the image."""

from __future__ import annotations

from PyQt6.QtCore import QModelIndex, Qt, pyqtSignal
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QListView, QStackedWidget, QWidget

from ..models.frame_list import FrameFilter
from .filmstrip import Filmstrip
from .picture_panel import PicturePanel


class Gallery(Filmstrip):
    """The filmstrip in lines; it shares the selection of the strip."""

    def __init__(self, frames: FrameFilter, strip: Filmstrip, parent: QWidget | None = None) -> None:
        super().__init__(frames, parent)
        self.setObjectName("gallery")
        self.setAccessibleName("Gallery of frames")
        self.setSelectionModel(strip.selectionModel())
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMinimumHeight(0)
        self.setMaximumHeight(16777215)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        QListView.wheelEvent(self, event)


class PictureOrGallery(QStackedWidget):
    """The image, or the gallery in its place.

    Signals
    -------
    galleryToggled(bool)
        The gallery came to the front, or went.
    """

    galleryToggled = pyqtSignal(bool)

    def __init__(self, panel: PicturePanel, frames: FrameFilter, strip: Filmstrip) -> None:
        super().__init__()
        self.gallery = Gallery(frames, strip)
        self.gallery.doubleClicked.connect(self._opened)
        self.gallery.activated.connect(self._opened)
        self.addWidget(panel)
        self.addWidget(self.gallery)

    @property
    def shows_gallery(self) -> bool:
        """True while the gallery is in front."""
        return self.currentWidget() is self.gallery

    def show_gallery(self, on: bool) -> None:
        """Bring the gallery to the front, or the image."""
        if on == self.shows_gallery:
            return
        self.setCurrentIndex(int(on))
        if on:
            self.gallery.scrollTo(self.gallery.currentIndex())
            self.gallery.setFocus()
        self.galleryToggled.emit(on)

    def toggle(self) -> None:
        """The other one."""
        self.show_gallery(not self.shows_gallery)

    def _opened(self, _index: QModelIndex) -> None:
        self.show_gallery(False)
