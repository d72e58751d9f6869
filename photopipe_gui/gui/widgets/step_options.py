"""The options of the steps: choose a step, see its form."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QComboBox, QSizePolicy, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from ..models.step_forms import StepForms
from .param_form_view import ParamFormView


class StepOptions(QWidget):
    """Folded away until it is wanted; the title says how many options were changed."""

    def __init__(self, steps: StepForms, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps = steps
        self._fold = QToolButton(checkable=True)
        self._fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._fold.setArrowType(Qt.ArrowType.RightArrow)
        self._fold.setToolTip("Options of single steps, as photopipe-gui reduce --set step.option=value")
        self.picker = QComboBox()
        self.picker.setAccessibleName("Step whose options are shown")
        self._stack = QStackedWidget()
        for name, form in steps.forms.items():
            self.picker.addItem(name, name)
            self._stack.addWidget(ParamFormView(form))
        self._body = QWidget()
        column = QVBoxLayout(self._body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.picker)
        column.addWidget(self._stack)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._fold)
        layout.addWidget(self._body)
        self._body.hide()
        self._fold.toggled.connect(self._turn)
        self.picker.currentIndexChanged.connect(self._show_step)
        steps.changed.connect(self._count)
        self._show_step(0)
        self._count()

    def form_view(self, step: str) -> ParamFormView:
        """Return the form of a step."""
        view = self._stack.widget(self.picker.findData(step))
        assert isinstance(view, ParamFormView)
        return view

    def unfold(self, step: str) -> None:
        """Show the options of a step."""
        self._fold.setChecked(True)
        self.picker.setCurrentIndex(self.picker.findData(step))

    def _turn(self, on: bool) -> None:
        self._body.setVisible(on)
        self._fold.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)

    def _show_step(self, index: int) -> None:
        """The pages that are not seen take no room."""
        for number in range(self._stack.count()):
            page = self._stack.widget(number)
            policy = QSizePolicy.Policy.Preferred if number == index else QSizePolicy.Policy.Ignored
            page.setSizePolicy(QSizePolicy.Policy.Preferred, policy)
        self._stack.setCurrentIndex(index)
        self._stack.adjustSize()

    def _count(self) -> None:
        count = self._steps.count()
        self._fold.setText(f"Options of the steps ({count} changed)" if count else "Options of the steps")
