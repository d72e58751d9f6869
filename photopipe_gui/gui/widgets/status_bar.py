"""The line at the bottom: pixel, count, job, memory and disk."""

from __future__ import annotations

import math
import resource
import shutil
import sys
from pathlib import Path

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QLabel, QProgressBar, QStatusBar, QWidget

from ...reduction.progress import Progress
from .elided import ElidedLabel

_REFRESH_MS = 5000


def duration(seconds: float) -> str:
    """Return ``0:42`` or ``1:02:03``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def progress_sentence(event: Progress, left: float | None) -> str:
    """Return ``crclean 7/10, 1 failed, 0:42 left``."""
    text = f"{event.job} {event.done}/{event.total}" if event.total else event.job
    if event.failed:
        text += f", {event.failed} failed"
    return text + (f", {duration(left)} left" if left is not None else "")


def memory_bytes() -> int:
    """Return the resident memory of the program; its greatest extent where the present one is not told."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


class StatusBar(QStatusBar):
    """Permanent fields left to right: pixel, kept, job with bar, memory and free disk."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self._night: Path | None = None
        self._pixel = QLabel()
        self._pixel.setMinimumWidth(self.fontMetrics().horizontalAdvance("x 3000  y 3000  65535.0 DN") + 8)
        self._said = ElidedLabel()
        self._kept = QLabel()
        self._job = QLabel()
        self._bar = QProgressBar()
        self._bar.setFixedWidth(130)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of the job")
        self._machine = QLabel()
        self.addWidget(self._pixel)
        self.addWidget(self._said, 1)
        for widget in (self._kept, self._job, self._bar, self._machine):
            self.addPermanentWidget(widget)
        self.show_no_pixel()
        self.clear_job()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._refresh)
        self._timer.start(_REFRESH_MS)
        self._refresh()

    def set_night(self, night: Path | None) -> None:
        """The night whose disk is watched."""
        self._night = night
        self._refresh()

    def show_pixel(self, x: float, y: float, value: float) -> None:
        """The pixel under the cursor."""
        shown = "no value" if math.isnan(value) else f"{value:.6g} DN"
        self._pixel.setText(f"x {x:.0f}  y {y:.0f}  {shown}")

    def show_no_pixel(self) -> None:
        """The cursor is on no pixel."""
        self._pixel.setText("x -  y -")

    def say(self, text: str) -> None:
        """The newest sentence."""
        self._said.set_text(text)

    def set_kept(self, text: str) -> None:
        """How many frames are kept."""
        self._kept.setText(text)

    def show_job(self, event: Progress, left: float | None) -> None:
        """Where the job stands."""
        self._job.setText(progress_sentence(event, left))
        self._bar.show()
        self._bar.setRange(0, event.total)
        self._bar.setValue(event.done)

    def start_job(self, name: str) -> None:
        """A job began."""
        self._job.setText(name)
        self._bar.setRange(0, 0)
        self._bar.show()

    def clear_job(self) -> None:
        """No job runs."""
        self._job.setText("")
        self._bar.hide()

    def _refresh(self) -> None:
        text = f"{memory_bytes() / 1024**2:.0f} MB"
        if self._night is not None:
            try:
                text += f" · {shutil.disk_usage(self._night).free / 1024**3:.1f} GB free"
            except OSError:
                text += " · the night is not reachable"
        self._machine.setText(text)
        self._machine.setToolTip("Memory of this program, free space on the night's disk")
