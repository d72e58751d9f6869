"""A coadd on screen with what its header says of it, and its weight map."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from ..models.results import Result
from ..reader import Reader
from .bind import dress
from .facts import Fact, FactsView
from .image_view import ImageView
from .step_compare import ProductPicture, product_key, read_product


def facts_of(result: Result) -> list[Fact]:
    """Return what is worth knowing of a coadd."""

    def number(key: str, form: str, factor: float = 1.0) -> str:
        value = result.number(key) * factor
        return form.format(value) if math.isfinite(value) else ""

    zero, scatter, rms = number("ABSZPT", "{:.4f}"), number("ABSZPTSC", "{:.4f}"), number("ABSZPRMS", "{:.4f}")
    seeing = f'{result.seeing:.2f}"' if math.isfinite(result.seeing) else ""
    pixels = number("SEEPIX", "{:.2f} px")
    residual = result.astrometric_rms
    astrometry = f'{residual:.3f}" per axis' if math.isfinite(residual) else "relative, no catalogue"
    given = f" of {result.given}" if result.given else ""
    facts = [
        ("Target", result.text("TARGNAME"), "TARGNAME"),
        ("Filter", result.text("FILTER"), "FILTER"),
        ("Frames", f"{result.used}{given}", "NSTACK: frames that went into the coadd, of those given to the run"),
        ("Exposure", number("TOTALEXP", "{:.0f} s"), "TOTALEXP"),
        ("Zero point", f"{zero} ± {scatter}" if zero and scatter else zero or "no reference", "ABSZPT, ABSZPTSC"),
        ("ZP rms", rms, "ABSZPRMS"),
        ("ZP catalogue", result.text("ZPCAT") or result.text("PHOTCAT"), "Catalogue of the zero point"),
        ("ZP stars", number("ZPNSTAR", "{:.0f}") or number("NPHOT", "{:.0f}"), "Stars of the zero point"),
        ("Seeing", f"{seeing}  ({pixels})" if seeing and pixels else seeing or pixels, "SEEPIX, PIXSCALE"),
        ("Aperture", number("SPIX", "{:.2f} px"), "SPIX"),
        ("Astrometry", astrometry, "ASTRRMS1, ASTRRMS2"),
        ("Stars matched", number("ASTRNMAT", "{:.0f}"), "ASTRNMAT"),
        ("Catalogue", result.text("ASTRCAT"), "ASTRCAT"),
        ("Airmass", number("AIRMASS", "{:.3f}"), "AIRMASS, median"),
        ("From", _moment(result.text("DATE1")), "DATE1"),
        ("To", _moment(result.text("DATEN")), "DATEN"),
    ]
    return [fact for fact in facts if fact[1]]


def _moment(date: str) -> str:
    """Return an ISO time to the second, with a blank where a line may break."""
    return date[:19].replace("T", " ")


class CoaddViewer(QWidget):
    """Image of a coadd (or its weight map) beside its facts."""

    def __init__(self, reader: Reader, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reader = reader
        self._result: Result | None = None
        self._key: Any = None
        self.image = ImageView()
        # The corners of a coadd that no frame reached are no defect.
        self.image.set_show_bad(False)
        self._name = QLabel()
        self._name.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._value = QLabel()
        self._value.setProperty("role", "muted")
        self._weight = QToolButton(checkable=True, text="Weights")
        dress(self._weight, "contour", "Weights: show the weight map")
        self._weight.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._weight.toggled.connect(self._load)
        self.image.cursorMoved.connect(lambda x, y, v: self._value.setText(f"{x:.0f}, {y:.0f}: {v:.6g}"))
        self.image.cursorLeft.connect(lambda: self._value.setText(""))
        self._facts = FactsView()
        self._build()
        reader.ready.connect(self._ready)
        reader.failed.connect(self._failed)
        self.set_result(None)

    def _build(self) -> None:
        line = QHBoxLayout()
        line.setContentsMargins(6, 2, 6, 2)
        line.addWidget(self._name, 1)
        line.addWidget(self._value)
        line.addWidget(self._weight)
        picture = QVBoxLayout()
        picture.setSpacing(0)
        picture.addLayout(line)
        picture.addWidget(self.image, 1)
        side = QScrollArea(widgetResizable=True)
        side.setFrameShape(QFrame.Shape.NoFrame)
        side.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(8, 6, 8, 6)
        column.addWidget(self._facts)
        column.addStretch(1)
        side.setWidget(holder)
        side.setFixedWidth(240)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(picture, 1)
        layout.addWidget(side)

    @property
    def result(self) -> Result | None:
        """The coadd shown."""
        return self._result

    def set_result(self, result: Result | None) -> None:
        """Show a coadd; None: nothing, with what to do."""
        self._result = result
        self._facts.set_facts([] if result is None else facts_of(result))
        self._name.setText("" if result is None else result.path.name)
        self._weight.setEnabled(result is not None and result.weight.is_file())
        if result is None:
            self._key = None
            self.image.clear("The coadds of the night come here after a reduction.")
        elif result.problem:
            self._key = None
            self.image.clear(result.problem)
        else:
            self._load()

    def _load(self, _on: bool = False) -> None:
        if self._result is None:
            return
        path: Path = self._result.weight if self._weight.isChecked() else self._result.path
        self._key = product_key(path)
        self._reader.request(self._key, lambda: read_product(path))

    def _ready(self, key: Any, value: Any) -> None:
        if key == self._key and isinstance(value, ProductPicture):
            self.image.set_image(value.pixels)

    def _failed(self, key: Any, reason: str) -> None:
        if key == self._key:
            self.image.clear(reason)
