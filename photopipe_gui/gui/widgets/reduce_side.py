"""The side of the Reduce tab: what is missing before a run, and its options."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QToolButton, QVBoxLayout, QWidget

from ..models.param_form import ParamForm
from ..models.preflight import Check
from ..models.step_forms import StepForms
from .bind import dress
from .param_form_view import ParamFormView
from .preflight import PreflightView
from .step_options import StepOptions


class ReduceSide(QWidget):
    """Preflight over the form of options, in one scrolled column.

    Signals
    -------
    actionWanted(str)
        What a line of the preflight offers.
    checkAgain()
        Run the checks anew.
    copyWanted()
        Copy the run as a command line.
    """

    actionWanted = pyqtSignal(str)
    checkAgain = pyqtSignal()
    copyWanted = pyqtSignal()

    def __init__(self, form: ParamForm, steps: StepForms, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._form = form
        self.preflight = PreflightView()
        self.preflight.actionWanted.connect(self.actionWanted)
        self.form_view = ParamFormView(form)
        self.step_options = StepOptions(steps)
        self._again = QToolButton()
        dress(self._again, "refresh", "Check again: masters, disk, catalogues")
        self._again.clicked.connect(self.checkAgain)
        self._reset = QToolButton()
        dress(self._reset, "rule", "Back to the defaults of all options")
        self._reset.clicked.connect(form.reset)
        self._reset.clicked.connect(steps.reset)
        self._copy = QPushButton("Copy as command line")
        dress(self._copy, "copy", "Copy this run, with these options, as a command line")
        self._copy.clicked.connect(self.copyWanted)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(10, 8, 10, 10)
        column.setSpacing(6)
        column.addLayout(_heading("Before the run", self._again))
        column.addWidget(self.preflight)
        column.addSpacing(10)
        column.addLayout(_heading("Options", self._reset))
        column.addWidget(self.form_view)
        column.addWidget(self.step_options)
        column.addSpacing(6)
        column.addWidget(self._copy)
        column.addStretch(1)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._scroll)
        self.setMinimumWidth(230)
        self._body = body

    def show_checks(self, checks: Sequence[Check]) -> None:
        """Show the preflight."""
        self.preflight.set_checks(checks)

    def show_parameter(self, name: str) -> None:
        """Bring the editor of a parameter into view and give it the focus."""
        editor = self.form_view.editor(name)
        self._scroll.ensureWidgetVisible(editor)
        editor.setFocus(Qt.FocusReason.OtherFocusReason)


def _heading(text: str, button: QToolButton) -> QHBoxLayout:
    label = QLabel(text)
    label.setProperty("role", "heading")
    line = QHBoxLayout()
    line.addWidget(label, 1)
    line.addWidget(button)
    return line
