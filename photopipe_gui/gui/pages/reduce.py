"""The Reduce tab: options, what is missing, the run frame by frame, its results."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import Qt, QUrl, pyqtSignal
from PyQt6.QtGui import QDesktopServices, QGuiApplication, QResizeEvent, QShowEvent
from PyQt6.QtWidgets import QHBoxLayout, QSplitter, QTabWidget, QVBoxLayout, QWidget

from ...reduction.auto.plan import AutoprocParams
from ...reduction.auto.registry import STEPS
from ...reduction.table import FrameTable
from ...reduction.workspace import Workspace
from ..jobs import JobOutcome, Jobs
from ..models.lost_frames import LostFrames
from ..models.night import NightModel
from ..models.param_form import ParamForm
from ..models.preflight import Check, Level
from ..models.step_forms import StepForms
from ..preflight_watch import PreflightWatch
from ..reduction_run import ReductionRun
from ..tasks_reduce import ReduceRequest, RunState, summary
from ..theme import Theme
from ..widgets.lost_view import LostView
from ..widgets.reduce_side import ReduceSide
from ..widgets.results_view import ResultsView
from ..widgets.run_matrix_view import RunMatrixView
from ..widgets.run_strip import RunStrip
from ..widgets.step_compare import StepCompare
from ..widgets.time_bars import TimeBars

_HINT = "Click a cell of the matrix to see its product beside the step before it."


class ReducePage(QWidget):
    """Everything from kept frames to coadds.

    Signals
    -------
    mastersWanted()
        The observer wants the masters built.
    framesWanted()
        The observer wants to see the science frames.
    stateChanged()
        Whether a run can be started changed.
    """

    mastersWanted = pyqtSignal()
    framesWanted = pyqtSignal()
    stateChanged = pyqtSignal()

    def __init__(self, session: NightModel, jobs: Jobs, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs, self._theme = session, jobs, theme
        self.form = ParamForm(AutoprocParams, self)
        self.steps = StepForms([(spec.name, spec.params) for spec in STEPS], self)
        self.run = ReductionRun(jobs, self)
        self.preflight = PreflightWatch(session, jobs.reader, self._params, self)
        self._checks: tuple[Check, ...] = ()
        self._after_run = self._restoring = False
        self._build()
        self._connect()
        self._night_opened()

    # ------------------------------------------------------------- building

    def _build(self) -> None:
        self.side = ReduceSide(self.form, self.steps)
        self.strip = RunStrip()
        self.view = RunMatrixView(self.run.matrix)
        self.compare = StepCompare(self._jobs.reader)
        self.results_view = ResultsView(self.run.results, self._jobs.reader)
        self.lost = LostFrames(self.run.matrix, self)
        self.lost_view = LostView(self.lost, self.run.matrix.steps)
        self.times = TimeBars()
        self.lower = QTabWidget()
        self.lower.setDocumentMode(True)
        self.lower.addTab(self.compare, "Products")
        self.lower.addTab(self.results_view, "Results")
        self.lower.addTab(self.lost_view, "Lost frames")
        self.lower.addTab(self.times, "Time per step")
        down = self._down = QSplitter(Qt.Orientation.Vertical)
        down.addWidget(self.view)
        down.addWidget(self.lower)
        down.setStretchFactor(1, 1)
        down.setChildrenCollapsible(False)
        down.splitterMoved.connect(self._splitter_moved)
        self._by_hand = False
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.strip)
        column.addWidget(down, 1)
        across = QSplitter(Qt.Orientation.Horizontal)
        across.addWidget(self.side)
        across.addWidget(right)
        across.setStretchFactor(1, 1)
        across.setSizes([270, 900])
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(across)

    def _splitter_moved(self, _place: int, _index: int) -> None:
        self._by_hand = True

    def _fit_matrix(self) -> None:
        """Give the matrix the height of its rows, at most two fifths, unless the observer moved the splitter."""
        height = self._down.height()
        if not self._by_hand and height > 100:
            wanted = max(90, min(self.view.content_height(), int(0.4 * height)))
            self._down.setSizes([wanted, height - wanted])

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._fit_matrix()

    def _connect(self) -> None:
        session, run = self._session, self.run
        session.opened.connect(self._night_opened)
        session.tableChanged.connect(self._changed)
        session.verdictsChanged.connect(self._verdicts_changed)
        self.form.changed.connect(self._param_changed)
        self.steps.changed.connect(self._steps_changed)
        self._jobs.main.started.connect(self._job_changed)
        self._jobs.main.finished.connect(self._job_changed)
        self._jobs.side.finished.connect(self._job_changed)
        self.preflight.changed.connect(self._show_checks)
        run.progressed.connect(self.strip.set_progress)
        run.ended.connect(self._ended)
        run.read.connect(self._show_run)
        run.matrix.modelReset.connect(self._fit_matrix)
        run.matrix.rowsInserted.connect(self._fit_matrix)
        self.lost.modelReset.connect(self._lost_changed)
        self.lost_view.opened.connect(self.view.show_frame)
        self.lost_view.againWanted.connect(self._try_again)
        self.lost_view.leaveOutWanted.connect(self._leave_out)
        self.view.leaveOutWanted.connect(self._leave_out)
        run.timesChanged.connect(self.times.set_seconds)
        self.view.opened.connect(self.open_cell)
        self.view.redoWanted.connect(self.redo_from)
        self.view.revealWanted.connect(self._reveal)
        self.side.actionWanted.connect(self._act)
        self.side.checkAgain.connect(self.check_again)
        self.side.copyWanted.connect(self.copy_command)
        self.strip.shownChosen.connect(run.matrix.set_shown)
        self.strip.noticeChosen.connect(self._notice_chosen)
        self.results_view.folderWanted.connect(self.open_folder)
        self.results_view.reportWanted.connect(self.open_report)

    # ------------------------------------------------------- what can be done

    def why_not(self) -> str:
        """Return why a run cannot start now, in words; empty when it can."""
        session = self._session
        if not session.is_open:
            return "Open a night first."
        if self._jobs.main.busy:
            return "Another job is running: wait, or stop it."
        if self._jobs.side.busy and session.unmeasured():
            return "Frames are still being measured: wait a moment."
        if not (self.form.valid and self.steps.valid):
            return "Some options are not allowed: see the Reduce tab."
        if not any(row.ftype == "object" and session.selection.keeps(row.frame_id) for row in session.rows()):
            return "No science frames are kept: accept some in the Frames tab."
        stops = [line for line in self._checks if line.level is Level.STOP]
        return f"{stops[0].text}. {stops[0].remedy}".strip() if stops else ""

    def start(self, redo_step: str = "", redo_frames: tuple[str, ...] = (), ask: bool = True) -> bool:
        """Start the reduction; return False when it cannot start, or asks first about masters that are missing."""
        reason = self.why_not()
        if reason:
            self.strip.set_notice(reason)
            return False
        lacking = [line for line in self._checks if line.action == "masters" and line.level is Level.WARNING]
        if ask and lacking:
            text = " ".join(f"{line.text}." for line in lacking)
            self.strip.set_notice(text, (("masters", "Build masters"), ("go on", "Reduce without")))
            return False
        return self._run(redo_step, redo_frames)

    def redo_from(self, frame: str, step: str) -> None:
        """Make the products of a frame (empty: of all) anew from a step on."""
        self.start(step, (frame,) if frame else (), ask=False)

    def _try_again(self, step: str, frames: tuple[str, ...]) -> None:
        self.start(step, frames, ask=False)

    def _leave_out(self, frames: tuple[str, ...]) -> None:
        """Reject frames by hand: the next run goes without them."""
        self._session.set_hand(frames, False)
        count = "1 frame is" if len(frames) == 1 else f"{len(frames)} frames are"
        self.strip.set_notice(f"{count} left out: rejected by hand. Reduce again to go without.")

    def _lost_changed(self) -> None:
        count = self.lost.rowCount()
        self.lower.setTabText(self.lower.indexOf(self.lost_view), f"Lost frames ({count})" if count else "Lost frames")

    def _run(self, redo_step: str, redo_frames: tuple[str, ...]) -> bool:
        session, params = self._session, self._params()
        if session.night is None or session.instrument is None or params is None:
            return False
        table = FrameTable(session.table.folder, session.table.instrument, session.rows())
        request = ReduceRequest(
            session.night, session.instrument, table, session.selection, params, redo_step, redo_frames
        )
        if not self.run.start(request):
            return False
        self.strip.begin()
        self.lower.setCurrentWidget(self.compare)
        return True

    def _params(self) -> AutoprocParams | None:
        if not (self.form.valid and self.steps.valid):
            return None
        params: AutoprocParams = self.form.params(overrides=self.steps.overrides())
        return params

    def _job_changed(self, _what: object) -> None:
        self._changed()

    def _ended(self, outcome: JobOutcome) -> None:
        state = outcome.value.state if isinstance(outcome.value, RunState) else ""
        stopped = outcome.state == "cancelled" or state == "stopped"
        self.strip.end(outcome, stopped, len(self.run.matrix.lost()), self.run.fresh)
        self._after_run = outcome.ok and not stopped

    # --------------------------------------------------- the night and its run

    def _night_opened(self) -> None:
        session = self._session
        self._checks = ()
        self.side.show_checks(())
        self.compare.clear(_HINT)
        self._restore_options()
        self.strip.set_idle("" if session.is_open else "Open a night to reduce it.")
        self.run.open(session.night)
        self._changed()

    def _restore_options(self) -> None:
        """Show the options kept in the night."""
        saved, of_steps = self._session.ui.get("params"), self._session.ui.get("step_params")
        self._restoring = True
        self.form.reset()
        self.steps.reset()
        if isinstance(saved, dict):
            self.form.restore(saved)
        if isinstance(of_steps, dict):
            self.steps.restore(of_steps)
        self._restoring = False

    def _show_run(self, state: RunState) -> None:
        self.results_view.set_summary(summary(state), bool(state.state))
        if self._after_run:
            self._after_run = False
            self.lower.setCurrentWidget(self.results_view if state.results else self.lost_view)
        if not self.run.running and not self.strip.ended:
            idle = "Not reduced yet. Reduce starts with the kept science frames and these options."
            self.strip.set_idle(summary(state) if state.state else idle)

    def open_cell(self, frame: str, step: str) -> None:
        """Show the product of a cell beside the step before it."""
        matrix = self.run.matrix
        path = matrix.product(frame, step)
        if path is None:
            self.compare.clear(matrix.why_no_product(frame, step))
        else:
            self.compare.show_products((step, path), self.run.product_before(frame, step))
        self.lower.setCurrentWidget(self.compare)

    # --------------------------------------------------------- before a run

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self.preflight.ask_network()
        self._changed()

    def check_again(self) -> None:
        """Run the checks anew, the network included."""
        self.preflight.ask_network(again=True)
        self._changed()

    def _verdicts_changed(self, _ids: set[str]) -> None:
        self._changed()

    def _param_changed(self, _name: str) -> None:
        if not self._restoring:
            self._session.remember("params", self.form.as_json())
        self._changed()

    def _steps_changed(self) -> None:
        if not self._restoring:
            self._session.remember("step_params", self.steps.as_json())
        self._changed()

    def _changed(self) -> None:
        self.preflight.later()
        self.stateChanged.emit()

    def _show_checks(self, checks: tuple[Check, ...]) -> None:
        self._checks = checks
        self.side.show_checks(checks)
        self.stateChanged.emit()

    # -------------------------------------------------------------- actions

    def _act(self, action: str) -> None:
        if action == "masters":
            self.mastersWanted.emit()
        elif action == "frames":
            self.framesWanted.emit()
        else:
            self.side.show_parameter(action)

    def _notice_chosen(self, choice: str) -> None:
        self.strip.set_notice("")
        if choice == "masters":
            self.mastersWanted.emit()
        elif choice == "go on":
            self.start(ask=False)

    def copy_command(self) -> str:
        """Put the run with these options on the clipboard as a command line; return it."""
        session = self._session
        if session.night is None or session.instrument is None:
            return ""
        line = self.form.command_line(session.night, session.instrument.name, self.steps.arguments())
        QGuiApplication.clipboard().setText(line)
        session.said.emit(f"Copied: {line}", "info")
        return line

    def open_folder(self) -> None:
        """Open the folder of the coadds in the file manager."""
        self._open_path("coadds")

    def open_report(self) -> None:
        """Open the report of the last run."""
        self._open_path("report")

    def _open_path(self, name: str) -> None:
        if self._session.night is not None:
            path: Path = getattr(Workspace.of_night(self._session.night), name)
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    def _reveal(self, frame: str, step: str) -> None:
        path = self.run.matrix.product(frame, step)
        if path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))
