"""A master on screen: its image or one of its planes, an input's residual, histogram and facts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..models.masters import ADOPTED_KEY, MasterEntry, MasterFacts, State
from ..tasks_masters import MasterPicture, Residual
from .elided import ElidedLabel
from .facts import Fact, FactsView
from .histogram import HistogramView
from .image_view import ImageView
from .status_mark import OF_STATE, StatusMark

#: What the image can show: name, title, tooltip.
PLANES = (
    ("", "Master", "The master itself"),
    ("UNCERT", "Error", "Standard error of each pixel"),
    ("COUNT", "Count", "Number of frames that each pixel was made from"),
    ("residual", "Residual", "(input - master) / sigma of the input selected below"),
)
_UNITS = {"bias": "DN", "dark": "DN/s", "flat": ""}
_METHODS = {"median": "median", "clip": "sigma-clipped mean", "winsor": "winsorised mean"}


def facts_of(entry: MasterEntry, facts: MasterFacts | None) -> list[Fact]:
    """Return what is worth knowing of a master, from its header."""
    if facts is None or facts.cards is None:
        return [("State", str(entry.state), entry.reason)]
    cards = facts.cards
    unit = _UNITS.get(entry.mtype, "")
    method = str(_first(cards, "MSTMETH", "METHOD", "COMBINE") or "")
    found = [
        ("Method", _METHODS.get(method, method), "How the frames were combined"),
        ("Night", str(_first(cards, ADOPTED_KEY) or ""), "ADOPTED: the night that this master is of"),
        ("Combined", _number(cards, "{:.0f} frames", "NCOMBINE"), "NCOMBINE"),
        ("Rejected", _number(cards, "{:.0f} pixels", "NREJECT"), "NREJECT: outlying pixels, all frames"),
        ("Median", _number(cards, f"{{:.6g}} {unit}", "MEDIAN"), "MEDIAN"),
        ("Robust sigma", _number(cards, f"{{:.4g}} {unit}", "RSIGMA"), "RSIGMA: biweight scale over the image"),
        ("Saturation", _number(cards, "{:.0f} DN", "SATURATE"), "SATURATE"),
        ("Read noise", _number(cards, "{:.2f} e-", "RDNOISE"), "RDNOISE: from differences of the bias frames"),
        ("Exposure", _number(cards, "{:g} s", "EXPTIME"), "EXPTIME"),
        ("Gain", _number(cards, "{:.2f} e-/DN", "GAIN"), "GAIN"),
        ("Made", str(_first(cards, "DATE") or "").replace("T", " "), "DATE, UTC"),
        ("Size", f"{cards.get('NAXIS1', 0)} x {cards.get('NAXIS2', 0)} px", "NAXIS1, NAXIS2"),
        ("File", facts.path.name, str(facts.path)),
    ]
    return [fact for fact in found if fact[1]]


def _first(cards: Mapping[str, Any], *keys: str) -> Any:
    return next((cards[key] for key in keys if key in cards), None)


def _number(cards: Mapping[str, Any], form: str, *keys: str) -> str:
    value = _first(cards, *keys)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return ""
    return form.format(value)


class MasterView(QWidget):
    """Image with a choice of planes; histogram and facts beside it.

    Signals
    -------
    planeChosen(str)
        Name of the plane wanted, see `PLANES`.
    """

    planeChosen = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image = ImageView()
        self.histogram = HistogramView()
        self.histogram.setMaximumHeight(220)
        self.facts = FactsView()
        self.title = ElidedLabel(muted=False)
        self._mark = StatusMark()
        self._value = QLabel()
        self._value.setProperty("role", "muted")
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QToolButton] = {}
        self.image.cursorMoved.connect(lambda x, y, v: self._value.setText(f"{x:.0f}, {y:.0f}: {v:.6g}"))
        self.image.cursorLeft.connect(lambda: self._value.setText(""))
        self._build()

    def _build(self) -> None:
        line = QHBoxLayout()
        line.setContentsMargins(6, 3, 8, 3)
        line.setSpacing(3)
        for name, text, tip in PLANES:
            button = QToolButton(text=text, checkable=True, checked=not name)
            button.setToolTip(tip)
            button.setAccessibleName(f"Show {text.lower()}")
            button.clicked.connect(lambda _on, name=name: self.planeChosen.emit(name))
            self._group.addButton(button)
            self._buttons[name] = button
            line.addWidget(button)
        line.addStretch(1)
        line.addWidget(self._value)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(line)
        column.addWidget(self.image, 1)
        body = QWidget()
        side = QVBoxLayout(body)
        side.setContentsMargins(8, 6, 8, 6)
        side.addWidget(self.histogram)
        side.addWidget(self.facts)
        side.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        scroll.setMinimumWidth(190)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(scroll)
        split.setStretchFactor(0, 1)
        split.setSizes([640, 230])
        split.setChildrenCollapsible(False)
        head = QHBoxLayout()
        head.setContentsMargins(10, 6, 10, 3)
        head.setSpacing(7)
        head.addWidget(self._mark)
        head.addWidget(self.title, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(split, 1)

    @property
    def plane(self) -> str:
        """Name of the plane chosen."""
        return next(name for name, button in self._buttons.items() if button.isChecked())

    def set_title(self, state: State | None, text: str) -> None:
        """Say what is shown, with the mark of a state."""
        self._mark.setVisible(state is not None)
        if state is not None:
            self._mark.set_mark(*OF_STATE[state])
        self.title.set_text(text)

    def set_plane(self, name: str) -> None:
        """Choose a plane without a signal."""
        self._buttons[name].setChecked(True)

    def set_planes_enabled(self, on: bool, residual: bool) -> None:
        """Enable the planes of a master that exists, and the residual of a selected input."""
        for name, button in self._buttons.items():
            button.setEnabled(on and (name != "residual" or residual))

    def show_nothing(self, note: str) -> None:
        """No picture, and why."""
        self.image.clear(note)
        self.histogram.clear()

    def show_picture(self, picture: MasterPicture, mtype: str, plane: str) -> None:
        """Show a master of a type, or a plane of it."""
        self.image.set_image(picture.pixels, picture.bad)
        unit = "frames" if plane == "COUNT" else _UNITS.get(mtype, "") or "relative to the median"
        self.histogram.set_histogram(picture.counts, picture.edges, median=picture.median, unit=unit)

    def show_residual(self, residual: Residual) -> None:
        """Show the residual of an input."""
        self.image.set_image(residual.image)
        self.histogram.set_histogram(residual.counts, residual.edges, median=residual.mean, unit="sigma")
