"""The line over the matrix: where the run stands, a question when there is one, and what cells say."""

from __future__ import annotations

import time

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from ...reduction.progress import Progress
from ..jobs import JobOutcome
from .elided import ElidedLabel
from .notice import Notice
from .time_bars import duration_text

_CHOICES = (("state", "Show state"), ("seconds", "Show seconds"), ("number", "Show measurement"))


class RunStrip(QWidget):
    """Progress of a run.

    Signals
    -------
    shownChosen(str)
        What cells of the matrix shall say: ``state``, ``seconds``, ``number``.
    noticeChosen(str)
        Which button of the question was pressed.
    """

    shownChosen = pyqtSignal(str)
    noticeChosen = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._step, self._began = "", 0.0
        #: True while the line says how a run of this session ended.
        self.ended = False
        self._text = ElidedLabel(muted=False)
        self._text.setMinimumWidth(60)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(8)
        self._bar.setMinimumWidth(60)
        self._bar.setMaximumWidth(240)
        self._bar.hide()
        self._bar.setAccessibleName("Progress of the step")
        self._counts = QLabel()
        self._counts.setProperty("role", "muted")
        self._shown = QComboBox()
        self._shown.setAccessibleName("What the cells say")
        self._shown.setToolTip("What the cells of the matrix say: the state, the time, or the number that says most")
        for name, title in _CHOICES:
            self._shown.addItem(title, name)
        self._shown.activated.connect(lambda _: self.shownChosen.emit(self._shown.currentData()))
        self.notice = Notice()
        self.notice.chosen.connect(self.noticeChosen)
        line = QHBoxLayout()
        line.setContentsMargins(8, 4, 8, 4)
        line.setSpacing(10)
        line.addWidget(self._text, 1)
        line.addWidget(self._counts)
        line.addWidget(self._bar, 1)
        line.addWidget(self._shown)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(line)
        layout.addWidget(self.notice)

    @property
    def text(self) -> str:
        """What the line says."""
        return self._text.full_text()

    def set_idle(self, text: str) -> None:
        """No run: say how things are."""
        self.ended = False
        self._bar.hide()
        self._counts.setText("")
        self._say(text)

    def set_notice(self, text: str, choices: tuple[tuple[str, str], ...] = ()) -> None:
        """Show a sentence with buttons under the line; empty text removes it."""
        self.notice.ask(text, choices)

    def begin(self) -> None:
        """A run starts."""
        self.set_notice("")
        self._step = ""
        self._bar.setRange(0, 0)
        self._bar.show()
        self._say("Starting")

    def set_progress(self, event: Progress) -> None:
        """Show where the run stands: step, file, done of total, failed, time left."""
        now = time.monotonic()
        if event.job != self._step:
            self._step, self._began = event.job, now
        self._bar.show()
        self._bar.setRange(0, event.total)
        self._bar.setValue(event.done)
        self._say(f"{event.job}  {event.item}".strip())
        parts = [f"{event.done}/{event.total}"] if event.total else []
        if event.failed:
            parts.append(f"{event.failed} failed")
        elapsed = now - self._began
        if 0 < event.done < event.total and elapsed > 0.5:
            parts.append(f"{duration_text(elapsed / event.done * (event.total - event.done))} left in this step")
        self._counts.setText(" · ".join(parts))

    def end(self, outcome: JobOutcome, stopped: bool, lost: int, fresh: int) -> None:
        """The run is over: to its end, or stopped by the observer; ``fresh`` outcomes were new."""
        self._bar.hide()
        self._counts.setText("")
        self.ended = True
        if outcome.state == "failed":
            self._say("The run ended by an error.")
            self.set_notice(str(outcome.error))
            return
        if outcome.ok and not stopped and not fresh:
            self._say("Everything was up to date: same frames, masters and options as before.")
            return
        word = "Finished" if outcome.ok and not stopped else "Stopped, what was finished stays,"
        tail = f", {lost} lost: see Lost frames" if lost else ""
        self._say(f"{word} after {duration_text(outcome.seconds)}{tail}")

    def _say(self, text: str) -> None:
        self._text.set_text(text)
