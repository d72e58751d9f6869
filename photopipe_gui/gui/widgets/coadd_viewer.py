"""A coadd on screen with what its header says of it, and its weight map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from astropy.io import fits
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from ...errors import FrameError
from ..models.results import Result
from ..reader import Reader
from ..theme import colors, theme
from .bind import dress
from .facts import Fact, FactsView
from .image_view import ImageView
from .step_compare import ProductPicture, product_key, read_product


def facts_of(result: Result) -> list[Fact]:
    """Return what is worth knowing of a coadd."""

    def number(key: str, form: str, factor: float = 1.0) -> str:
        value = result.number(key) * factor
        return form.format(value) if math.isfinite(value) else ""

    zero, error = number("ABSZPT", "{:.4f}"), number("ABSZPERR", "{:.4f}")
    system = f" {result.text('ABSZPSYS')}" if zero else ""
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
        ("Zero point", f"{zero} ± {error}{system}" if zero and error else zero or "no reference", "ABSZPT, ABSZPERR"),
        ("Scatter", number("ABSZPTSC", "{:.4f} mag"), "ABSZPTSC: 1.48 x median absolute deviation of the stars"),
        ("Stars", number("ABSZPN", "{:.0f}"), "ABSZPN: stars of the zero point"),
        ("Magnitudes", result.text("ABSZPCAT"), "ABSZPCAT: reference magnitudes"),
        ("Seeing", f"{seeing}  ({pixels})" if seeing and pixels else seeing or pixels, "SEEPIX, PIXSCALE"),
        ("Aperture", number("SPIX", "{:.2f} px"), "SPIX: diameter of 1.34 seeing"),
        ("Sky noise", number("SKYSIGMA", "{:.4g} DN"), "SKYSIGMA: noise per pixel where all frames count"),
        ("Astrometry", astrometry, "ASTRRMS1, ASTRRMS2: median of the frames"),
        ("Matched", number("ASTRNMAT", "{:.0f} stars a frame"), "ASTRNMAT: median of the frames"),
        ("Positions", result.text("ASTRCAT"), "ASTRCAT: reference positions"),
        ("Airmass", number("AIRMASS", "{:.3f}"), "AIRMASS, median"),
        ("From", _moment(result.text("DATE1")), "DATE1"),
        ("To", _moment(result.text("DATEN")), "DATEN"),
    ]
    return [fact for fact in facts if fact[1]]


def _moment(date: str) -> str:
    """Return an ISO time to the second, with a blank where a line may break."""
    return date[:19].replace("T", " ")


@dataclass(frozen=True)
class Sources:
    """The sources of a coadd's catalogue.

    Attributes
    ----------
    x, y : ndarray
        Column and row, zero-based.
    magnitude, error : ndarray
        Total magnitudes and their errors; NaN without a zero point.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    error: NDArray[np.float64]

    @property
    def nbytes(self) -> int:
        """Size for the cache."""
        return 4 * int(self.x.nbytes)


def read_sources(coadd: Path) -> Sources:
    """Read the catalogue beside a coadd.

    Raises
    ------
    FrameError
        When there is none, or it cannot be read.
    """
    path = coadd.with_name(f"{coadd.stem}.cat.fits")
    try:
        with fits.open(path, memmap=False) as hdus:
            table = hdus[1].data
            columns = [np.asarray(table[name], float) for name in ("X", "Y", "MAG_APER", "MAGERR_APER")]
    except (OSError, KeyError, IndexError) as error:
        raise FrameError(path, f"the catalogue cannot be read ({error})", "Stack again to make it.") from error
    return Sources(columns[0] - 1.0, columns[1] - 1.0, columns[2], columns[3])


class CoaddViewer(QWidget):
    """Image of a coadd (or its weight map) beside its facts; the sources of its catalogue on demand."""

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
        self._stars = QToolButton(checkable=True, text="Sources")
        dress(self._stars, "demo", "Sources: mark those of the coadd's catalogue; click one for its magnitude")
        self._stars.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._stars.toggled.connect(self._load_sources)
        self._marks = pg.ScatterPlotItem(size=15, symbol="o", brush=None, pxMode=True)
        self.image.view_box().addItem(self._marks, ignoreBounds=True)
        self._sources: Sources | None = None
        self._sources_key: Any = None
        self.image.clicked.connect(self._clicked)
        theme().changed.connect(self._restyle)
        self._restyle()
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
        line.addWidget(self._stars)
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
        catalogue = result is not None and result.path.with_name(f"{result.path.stem}.cat.fits").is_file()
        self._stars.setEnabled(catalogue)
        self._load_sources()
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

    def _load_sources(self, _on: bool = False) -> None:
        self._marks.clear()
        self._sources, self._sources_key = None, None
        if self._result is None or not self._stars.isChecked() or not self._stars.isEnabled():
            return
        path: Path = self._result.path
        self._sources_key = ("sources", *product_key(path))
        self._reader.request(self._sources_key, lambda: read_sources(path))

    def _restyle(self) -> None:
        self._marks.setPen(pg.mkPen(colors().keep, width=1.2))

    def _clicked(self, x: float, y: float) -> None:
        """Say the magnitude of the source that was clicked."""
        found = self._sources
        if found is None or not len(found.x):
            return
        nearest = int(np.argmin((found.x - x) ** 2 + (found.y - y) ** 2))
        if (found.x[nearest] - x) ** 2 + (found.y[nearest] - y) ** 2 < 15**2:
            magnitude, error = found.magnitude[nearest], found.error[nearest]
            said = f"{magnitude:.3f} ± {error:.3f} mag" if np.isfinite(magnitude) else "no magnitude"
            self._value.setText(f"{found.x[nearest]:.1f}, {found.y[nearest]:.1f}: {said}")

    def _ready(self, key: Any, value: Any) -> None:
        if key == self._sources_key and isinstance(value, Sources):
            self._sources = value
            self._marks.setData(value.x, value.y)
        if key == self._key and isinstance(value, ProductPicture):
            self.image.set_image(value.pixels)

    def _failed(self, key: Any, reason: str) -> None:
        if key == self._key:
            self.image.clear(reason)
        elif key == self._sources_key:
            self._value.setText(reason)
