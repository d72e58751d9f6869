"""amin and amax on one slider, with both values to type in."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QWidget
from superqt import QDoubleRangeSlider

from ..theme import colors, theme

#: The least distance between amin and amax.
GAP = 0.001


class LevelSlider(QWidget):
    """Two handles between 0 and 100 % of saturation.

    Signals
    -------
    valueChanged(tuple)
        (amin, amax) as fractions, while a handle moves and at the end.
    released()
        A handle was let go, or a value typed in.
    """

    valueChanged = pyqtSignal(tuple)
    released = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("levelSlider")
        self.setAccessibleName("Limits on the median, per cent of saturation")
        self._value = (0.0, 1.0)
        self._slider = QDoubleRangeSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("levelRange")
        self._slider.setAccessibleName("amin and amax")
        self._slider.setRange(0.0, 100.0)
        self._slider.setSingleStep(1.0)
        self._slider.setValue((0.0, 100.0))
        self._low = self._box("aminBox", "amin")
        self._high = self._box("amaxBox", "amax")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for text, widget in (("amin", self._low), ("", self._slider), ("", self._high), ("amax", None)):
            if (text and widget is None) or text == "amin":
                label = QLabel(text)
                label.setProperty("role", "muted")
                layout.addWidget(label)
            if widget is not None:
                layout.addWidget(widget, 1 if widget is self._slider else 0)
        self._slider.valueChanged.connect(self._slid)
        self._slider.sliderReleased.connect(self.released)
        self._low.valueChanged.connect(self._typed)
        self._high.valueChanged.connect(self._typed)
        self._low.editingFinished.connect(self.released)
        self._high.editingFinished.connect(self.released)
        theme().changed.connect(self._restyle)
        self._restyle()

    def _box(self, name: str, title: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setObjectName(name)
        box.setAccessibleName(f"{title}, per cent of saturation")
        box.setRange(0.0, 100.0)
        box.setDecimals(1)
        box.setSingleStep(1.0)
        box.setSuffix(" %")
        box.setKeyboardTracking(False)
        box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        box.setAlignment(Qt.AlignmentFlag.AlignRight)
        box.setFixedWidth(box.fontMetrics().horizontalAdvance("100.0 %") + 20)
        box.installEventFilter(self)
        return box

    def value(self) -> tuple[float, float]:
        """(amin, amax) as fractions of saturation."""
        return self._value

    def setValue(self, value: tuple[float, float]) -> None:
        """Set amin and amax, fractions of saturation; too narrow a range is widened."""
        low, high = (min(max(float(part), 0.0), 1.0) for part in value)
        if high - low < GAP:
            low = min(low, 1.0 - GAP)
            high = low + GAP
        if (low, high) == self._value:
            self._show()
            return
        self._value = (low, high)
        self._show()
        self.valueChanged.emit(self._value)

    def _show(self) -> None:
        low, high = (100.0 * part for part in self._value)
        for widget, value in ((self._slider, (low, high)), (self._low, low), (self._high, high)):
            blocked = widget.blockSignals(True)
            widget.setValue(value)
            widget.blockSignals(blocked)
        self._slider.update()

    def _slid(self, value: tuple[float, float]) -> None:
        # Half a per cent is fine enough for a hand; typing goes to a tenth.
        low, high = (round(2.0 * part) / 200.0 for part in value)
        self.setValue((low, high))

    def _typed(self) -> None:
        low, high = self._low.value() / 100.0, self._high.value() / 100.0
        if self.sender() is self._low and low > high - GAP:
            low = high - GAP
        elif high < low + GAP:
            high = low + GAP
        self.setValue((low, high))

    def _restyle(self) -> None:
        named = colors()
        self._slider.setStyleSheet(
            f"""
            QSlider::groove:horizontal {{ background: {named.border}; height: 4px; border-radius: 2px; }}
            QSlider::handle:horizontal {{ background: {named.limit}; border: 2px solid {named.panel}; width: 12px;
                height: 12px; margin: -6px 0; border-radius: 8px; }}
            QSlider::handle:horizontal:hover {{ background: {named.accent}; }}
            QSlider {{ qproperty-barColor: {named.limit}; min-height: 20px; }}
            """
        )

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """The wheel over a value box must not change it by chance while scrolling."""
        wheel = event is not None and event.type() == QEvent.Type.Wheel
        if wheel and isinstance(watched, QDoubleSpinBox) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)
