"""The form of a parameter dataclass, made from the fields' own descriptions."""

from __future__ import annotations

import math
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..models.param_form import Field, ParamForm
from . import dialogs
from .bind import quiet
from .icons import bind_icon

_NOTHING = "—"


class PlainDoubleSpin(QDoubleSpinBox):
    """Shows a number with the digits it needs: 3, 0.03."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDecimals(6)

    def textFromValue(self, value: float) -> str:
        return self.locale().toString(value, "g", 6)

    def stepBy(self, steps: int) -> None:
        # A step is a tenth of the number's own size.
        size = abs(self.value())
        self.setSingleStep(10 ** math.floor(math.log10(size)) / (1 if size >= 10 else 10) if size > 0 else 0.1)
        super().stepBy(steps)


class FileEdit(QWidget):
    """A path with a button that opens a file dialog."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self.line = QLineEdit()
        self.line.setPlaceholderText("none")
        self.line.setClearButtonEnabled(True)
        browse = QToolButton()
        browse.setToolTip("Choose a file")
        browse.setAccessibleName(f"Choose a file for {title}")
        bind_icon(browse, "folder")
        browse.clicked.connect(self._browse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.line, 1)
        layout.addWidget(browse)
        self.setFocusProxy(self.line)

    def _browse(self) -> None:
        path = dialogs.pick_file(self.window(), f"Choose {self._title}", self.line.text())
        if path:
            self.line.setText(path)
            self.line.editingFinished.emit()


class ParamFormView(QWidget):
    """One line a parameter: name as in scripts, editor, unit; help as tooltip; rarely used ones folded away."""

    def __init__(self, form: ParamForm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._form = form
        self._editors: dict[str, QWidget] = {}
        self._labels: dict[str, QLabel] = {}
        self._error = QLabel()
        self._error.setProperty("role", "error")
        self._error.setWordWrap(True)
        self._error.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(self._lines([f for f in form.fields if not f.option.advanced]))
        advanced = [f for f in form.fields if f.option.advanced]
        if advanced:
            self._fold = QToolButton(text="Advanced", checkable=True)
            self._fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            self._fold.setArrowType(Qt.ArrowType.RightArrow)
            body = QWidget()
            body.setLayout(self._lines(advanced))
            body.hide()
            self._fold.toggled.connect(body.setVisible)
            self._fold.toggled.connect(self._turn)
            layout.addWidget(self._fold)
            layout.addWidget(body)
        layout.addWidget(self._error)
        form.changed.connect(self._show)
        for entry in form.fields:
            self._show(entry.name)

    def editor(self, name: str) -> QWidget:
        """Return the editor of a parameter."""
        return self._editors[name]

    def _turn(self, on: bool) -> None:
        self._fold.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)

    def _lines(self, entries: list[Field]) -> QFormLayout:
        lines = QFormLayout()
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setHorizontalSpacing(8)
        lines.setVerticalSpacing(4)
        lines.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        lines.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        for entry in entries:
            editor = self._make(entry)
            editor.setToolTip(entry.tooltip)
            editor.setAccessibleName(entry.name)
            editor.setAccessibleDescription(entry.option.help)
            self._editors[entry.name] = editor
            if entry.kind == "bool":
                lines.addRow(editor)
                continue
            label = QLabel(entry.name)
            label.setToolTip(entry.tooltip)
            label.setBuddy(editor)
            self._labels[entry.name] = label
            lines.addRow(label, editor)
        return lines

    def _make(self, entry: Field) -> QWidget:
        """Return the editor of a field, bound to the model."""
        name, described = entry.name, entry.option
        if entry.kind == "bool":
            box = QCheckBox(name)
            box.toggled.connect(lambda on: self._form.set_value(name, on))
            return box
        if entry.kind == "choice":
            choice = QComboBox()
            for item in described.choices:
                choice.addItem(item or _NOTHING, item)
            choice.activated.connect(lambda _: self._form.set_value(name, choice.currentData()))
            choice.setMinimumContentsLength(6)
            choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            return choice
        if entry.kind in ("int", "float"):
            return self._number(entry)
        if entry.kind in ("file", "path"):
            chooser = FileEdit(name)
            chooser.line.editingFinished.connect(lambda: self._form.set_value(name, chooser.line.text()))
            return chooser
        line = QLineEdit()
        line.setPlaceholderText("all" if entry.kind == "list" else "none")
        line.editingFinished.connect(lambda: self._form.set_value(name, line.text()))
        return line

    def _number(self, entry: Field) -> QSpinBox | QDoubleSpinBox:
        described = entry.option
        spin: QSpinBox | QDoubleSpinBox = QSpinBox() if entry.kind == "int" else PlainDoubleSpin()
        low = described.low if described.low is not None else -1e9
        high = described.high if described.high is not None else 1e9
        if isinstance(spin, QSpinBox):
            spin.setRange(int(low), int(high))
        else:
            spin.setRange(low, high)
        if described.unit:
            spin.setSuffix(f" {described.unit}")
        spin.setKeyboardTracking(False)
        spin.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        spin.valueChanged.connect(lambda value: self._form.set_value(entry.name, value))
        return spin

    def _show(self, name: str) -> None:
        """Bring the editor to the model's value without an echo."""
        editor, value = self._editors[name], self._form.value(name)
        with quiet(editor):
            _set_editor(editor, value)
        label = self._labels.get(name)
        owner: Any = label or editor
        font = owner.font()
        font.setBold(not self._form.is_default(name))
        owner.setFont(font)
        problems = [self._form.error(entry.name) for entry in self._form.fields if self._form.error(entry.name)]
        self._error.setText("\n".join(problems))
        self._error.setVisible(bool(problems))


def _set_editor(editor: QWidget, value: Any) -> None:
    if isinstance(editor, QCheckBox):
        editor.setChecked(bool(value))
    elif isinstance(editor, QComboBox):
        editor.setCurrentIndex(max(0, editor.findData(value)))
    elif isinstance(editor, (QSpinBox, QDoubleSpinBox)):
        editor.setValue(value)
    else:
        line = editor.line if isinstance(editor, FileEdit) else editor
        text = " ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
        if isinstance(line, QLineEdit) and line.text() != text:
            line.setText(text)
