"""The side of the Masters tab: how to combine, the list, the buttons that build."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QPushButton, QSpinBox, QVBoxLayout, QWidget

from ...reduction.params import options_of
from ...reduction.preprocess.master_types import MasterParams
from ..models.masters import MasterList
from .bind import dress, enable, quiet
from .master_list_view import MasterListView

_TITLES = {"median": "Median", "clip": "Sigma-clipped mean", "winsor": "Winsorised mean"}


class MasterSide(QWidget):
    """Choices over the list of masters.

    Signals
    -------
    buildWanted(), buildAllWanted()
        Build the selected masters; build what is missing or out of date.
    fminChanged(int), methodChanged(str)
        The choices.
    """

    buildWanted = pyqtSignal()
    buildAllWanted = pyqtSignal()
    fminChanged = pyqtSignal(int)
    methodChanged = pyqtSignal(str)

    def __init__(self, model: MasterList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        options = options_of(MasterParams)
        self.list = MasterListView(model)
        self._method = QComboBox()
        self._method.setAccessibleName("How frames are combined")
        self._method.setToolTip(options["method"].help)
        self._method.setMinimumContentsLength(8)
        self._method.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        for name in options["method"].choices:
            self._method.addItem(_TITLES.get(name, name), name)
        self._method.activated.connect(lambda _: self.methodChanged.emit(self.method))
        self._fmin = QSpinBox()
        self._fmin.setRange(1, 999)
        self._fmin.setSuffix(" frames")
        self._fmin.setKeyboardTracking(False)
        self._fmin.setToolTip(f"fmin: {options['fmin'].help}")
        self._fmin.setAccessibleName("Fewest frames, fmin")
        self._fmin.valueChanged.connect(self.fminChanged)
        self._selected = QPushButton("Build selected")
        self._all = QPushButton("Build all")
        dress(self._selected, "refresh", "Build the selected masters again, with what they need")
        dress(self._all, "masters", "Build every master that is missing or out of date", "Ctrl+M")
        self._selected.clicked.connect(self.buildWanted)
        self._all.clicked.connect(self.buildAllWanted)
        form = QFormLayout()
        form.setContentsMargins(10, 8, 10, 4)
        form.setVerticalSpacing(4)
        form.setHorizontalSpacing(10)
        form.addRow("Combine", self._method)
        form.addRow("At least", self._fmin)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(8, 6, 8, 8)
        buttons.addWidget(self._selected)
        buttons.addWidget(self._all)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(form)
        layout.addWidget(self.list, 1)
        layout.addLayout(buttons)
        self.setMinimumWidth(210)

    @property
    def method(self) -> str:
        """The method chosen, as in `MasterParams`."""
        return str(self._method.currentData())

    def set_choices(self, method: str, fmin: int) -> None:
        """Show the choices kept in the session."""
        with quiet(self._method, self._fmin):
            self._method.setCurrentIndex(max(0, self._method.findData(method)))
            self._fmin.setValue(fmin)

    def set_buttons(self, why_not: str) -> None:
        """Enable the buttons, or say why not."""
        enable(self._all, not why_not, why_not, "Build every master that is missing or out of date  (Ctrl+M)")
        enable(self._selected, not why_not, why_not, "Build the selected masters again, with what they need")
