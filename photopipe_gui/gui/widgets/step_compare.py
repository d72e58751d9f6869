"""The product of a step beside the one before it, zoomed and panned together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from ...reduction.fitsio import read_mask, read_pixels
from ...reduction.frame import Mask
from ..reader import Reader
from .bind import dress
from .elided import ElidedLabel
from .image_view import ImageView


@dataclass(frozen=True)
class ProductPicture:
    """A product as it is shown: pixels as float32 or uint16, and which of them are bad."""

    path: Path
    pixels: NDArray[Any]
    bad: NDArray[np.bool_] | None = None

    @property
    def nbytes(self) -> int:
        """Size for the cache."""
        return int(self.pixels.nbytes) + (0 if self.bad is None else int(self.bad.nbytes))


def read_product(path: Path) -> ProductPicture:
    """Read a product and the bad pixels of its mask.

    Raises
    ------
    FrameError
        When it cannot be read.
    """
    pixels = read_pixels(path)
    if pixels.dtype != np.uint16:
        pixels = pixels.astype(np.float32, copy=False)
    mask = read_mask(path)
    bad = None if mask is None or mask.shape != pixels.shape else (mask & int(Mask.BAD)) > 0
    return ProductPicture(path, pixels, bad)


def product_key(path: Path) -> tuple[str, str, int]:
    """Return the key of a product in the reader: another after the file was written anew."""
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0
    return "product", str(path), changed


class _Pane(QWidget):
    """A title line over an image."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = ElidedLabel(muted=False)
        self.value = QLabel()
        self.value.setProperty("role", "muted")
        self.image = ImageView()
        self.image.cursorMoved.connect(lambda x, y, v: self.value.setText(f"{x:.0f}, {y:.0f}: {v:.6g}"))
        self.image.cursorLeft.connect(lambda: self.value.setText(""))
        head = QWidget()
        head.setFixedHeight(self.fontMetrics().height() + 14)
        self.line = QHBoxLayout(head)
        self.line.setContentsMargins(8, 1, 4, 1)
        self.line.addWidget(self.title, 1)
        self.line.addWidget(self.value)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(head)
        layout.addWidget(self.image, 1)


class StepCompare(QWidget):
    """Two products side by side; a button shows one of them alone."""

    def __init__(self, reader: Reader, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reader = reader
        self._wanted: dict[Any, _Pane] = {}
        self.before, self.after = _Pane(), _Pane()
        self.after.image.link_to(self.before.image)
        self._single = QToolButton(checkable=True)
        dress(self._single, "single", "Show the product alone: without the step before it")
        self._single.toggled.connect(self._arrange)
        self.after.line.addWidget(self._single)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.before, 1)
        layout.addWidget(self.after, 1)
        reader.ready.connect(self._ready)
        reader.failed.connect(self._failed)
        self._has_before = True
        self.clear("Click a cell of the matrix to see its product beside the step before it.")

    def clear(self, note: str = "") -> None:
        """Show no products, and why."""
        self._wanted.clear()
        self.before.title.set_text("")
        self.after.title.set_text("")
        self.before.image.clear()
        self.after.image.clear(note)
        self._has_before = False
        self._arrange()

    def show_products(self, after: tuple[str, Path], before: tuple[str, Path] | None) -> None:
        """Show a step's product, and the one of the step before: step names and files."""
        self._wanted.clear()
        self._has_before = before is not None
        self._ask(self.after, *after)
        if before is not None:
            self._ask(self.before, *before)
        self._arrange()

    def _ask(self, pane: _Pane, step: str, path: Path) -> None:
        pane.title.set_text(f"{step}: {path.name}")
        key = product_key(path)
        self._wanted[key] = pane
        cached = self._reader.peek(key)
        if cached is not None:
            self._ready(key, cached)
        else:
            self._reader.request(key, lambda: read_product(path))

    def _arrange(self) -> None:
        self.before.setVisible(self._has_before and not self._single.isChecked())
        self._single.setVisible(self._has_before)

    def _ready(self, key: Any, value: Any) -> None:
        pane = self._wanted.get(key)
        if pane is not None and isinstance(value, ProductPicture):
            pane.image.set_image(value.pixels, value.bad)

    def _failed(self, key: Any, reason: str) -> None:
        pane = self._wanted.get(key)
        if pane is not None:
            pane.image.clear(reason)
