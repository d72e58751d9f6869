"""The line under the image: what the frame is, what became of it and why; and the three buttons."""

from __future__ import annotations

import math

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ...reduction.measure import FrameStats
from ...reduction.selection import Verdict
from ...reduction.table import FrameRow
from ..theme import colors, theme
from .badges import verdict_word
from .bind import dress
from .elided import ElidedLabel
from .filmstrip import short_time
from .picture_panel import Badge


def facts(row: FrameRow, stats: FrameStats | None) -> list[str]:
    """Return what the status line says of a frame, most important first."""
    parts = [row.filter if row.filter and row.ftype in ("flat", "object") else f"C{row.camera}"]
    if row.ftype == "object" and row.target:
        parts.append(row.target)
    if math.isfinite(row.exptime):
        parts.append(f"{row.exptime:g} s")
    if stats is not None and math.isfinite(stats.median):
        if row.saturation > 0:
            percent = 100.0 * stats.median / row.saturation
            shown = f"{percent:.0f}" if percent >= 10 else f"{percent:.1f}"
            parts.append(f"median {stats.median:.0f} DN, {shown} % of saturation")
        else:
            parts.append(f"median {stats.median:.0f} DN")
        parts.append(f"{stats.n_saturated} saturated px" if stats.n_saturated else "none saturated")
        if math.isfinite(stats.fwhm):
            parts.append(f"FWHM {stats.fwhm:.1f} px")
        if math.isfinite(stats.n_stars):
            parts.append(f"{stats.n_stars:.0f} stars")
    when = short_time(row)
    if when:
        parts.append(f"{when} UT")
    return parts


def reason_text(verdict: Verdict) -> str:
    """Return why a verdict is what it is, without repeating the verdict."""
    reason = verdict.reason.removeprefix(verdict_word(verdict)).lstrip("; ")
    if reason:
        return reason[0].upper() + reason[1:]
    return "" if verdict.by == "hand" else "Within the limits"


class VerdictBar(QFrame):
    """Shows one frame's facts and verdict; the buttons are connected by the page."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "bar")
        self._name = QLabel()
        self._name.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._name.setProperty("role", "heading")
        self._facts = ElidedLabel()
        self._badge = Badge()
        self._verdict = QLabel()
        self._why = ElidedLabel()
        self._why.setObjectName("reasonLabel")
        self._state: tuple[bool, bool] = (True, False)
        top, below = QHBoxLayout(), QHBoxLayout()
        for line in (top, below):
            line.setSpacing(7)
        top.addWidget(self._name)
        top.addWidget(self._facts, 1)
        below.addWidget(self._badge)
        below.addWidget(self._verdict)
        below.addWidget(self._why, 1)
        lines = QVBoxLayout()
        lines.setSpacing(1)
        lines.addLayout(top)
        lines.addLayout(below)
        self.accept = self._button("acceptButton", "Accept", "accept", "keep", "Accept: keep this frame", "A")
        self.reject = self._button("rejectButton", "Reject", "reject", "reject", "Reject: leave this frame out", "X")
        self.rule = self._button("ruleButton", "Rule", "rule", None, "Rule: leave it to the rule again", "U")
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 8, 4)
        row.setSpacing(6)
        row.addLayout(lines, 1)
        for button in (self.accept, self.reject, self.rule):
            row.addWidget(button)
        theme().changed.connect(self._restyle)
        self.show_frame(None, None, None)

    def _button(self, name: str, text: str, icon: str, role: str | None, tip: str, keys: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        dress(button, icon, tip, keys, role)
        if role:
            button.setProperty("role", role)
            button.setCheckable(True)
        return button

    def show_frame(self, row: FrameRow | None, stats: FrameStats | None, verdict: Verdict | None) -> None:
        """Show a frame; None for nothing."""
        for button in (self.accept, self.reject, self.rule):
            button.setEnabled(row is not None)
        if row is None or verdict is None:
            self._name.setText("")
            self._facts.set_text("No frame")
            self._badge.set_verdict(None)
            self._verdict.setText("")
            self._why.set_text("")
            self.accept.setChecked(False)
            self.reject.setChecked(False)
            return
        self._name.setText(row.frame_id)
        self._facts.set_text(" · ".join(facts(row, stats)))
        unknown = stats is None and verdict.by == "rule" and not row.problem
        self._badge.set_verdict(None if unknown else verdict)
        self._badge.setVisible(not unknown)
        self._verdict.setText("measuring ..." if unknown else verdict_word(verdict))
        self._why.set_text("" if unknown else reason_text(verdict))
        by_hand = verdict.by == "hand"
        self.accept.setChecked(by_hand and verdict.keep)
        self.reject.setChecked(by_hand and not verdict.keep)
        self.rule.setEnabled(by_hand)
        self._state = (verdict.keep, unknown)
        self._restyle()

    def _restyle(self) -> None:
        named = colors()
        keep, unknown = self._state
        tone = named.muted if unknown else named.keep if keep else named.reject
        self._verdict.setStyleSheet(f"color: {tone}; font-weight: 600;")

    def texts(self) -> tuple[str, str, str]:
        """Name and facts, verdict, reason, as shown."""
        return f"{self._name.text()} · {self._facts.full_text()}", self._verdict.text(), self._why.full_text()
