"""The main window: toolbar, docks, tabs, status; what they say to each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QMainWindow, QStackedWidget, QTabWidget

from ..instruments import registry
from ..paths import resource
from ..reduction.preprocess.rules import Limits
from ..reduction.selection import Selection
from .choice import Choice
from .command_map import CommandMap
from .docks import Docks
from .job_status import JobStatus
from .jobs import Jobs
from .models.groups import kept_sentence
from .models.night import NightModel
from .night_desk import NightDesk
from .pages.frames import FramesPage
from .pages.masters import MastersPage
from .pages.reduce import ReducePage
from .settings import Settings
from .tasks import Workers
from .theme import theme
from .widgets import dialogs
from .widgets.help_windows import AboutWindow, HelpWindow, KeySheet
from .widgets.status_bar import StatusBar
from .widgets.tool_bar import ToolBar
from .widgets.welcome import Welcome, dropped_folder

_TABS = ("frames", "masters", "reduce")


class MainWindow(QMainWindow):
    """The window.

    Attributes
    ----------
    session : NightModel
        The night on the table and the decisions in it.
    jobs : Jobs
        What runs.

    Signals
    -------
    choiceEnded()
        A choice begun by `begin_choice` was finished or given up.
    """

    choiceEnded = pyqtSignal()

    def __init__(self, settings: Settings | None = None, workers: Workers | None = None) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.settings = settings or Settings()
        self.session = NightModel(self)
        self.jobs = Jobs(self)
        self._workers = workers or Workers()
        self.desk = NightDesk(self.session, self.jobs, self._workers, self.settings, self)
        self.loader = self.desk.loader
        self._choice: Choice | None = None
        self._laid_out = self._at_once = False
        self.setAcceptDrops(True)
        self._build()
        self._connect()
        self._restore()
        self._refresh()

    # ------------------------------------------------------------ building

    def _build(self) -> None:
        self.frames_page = FramesPage(self.session, self.jobs, theme(), self)
        self.masters_page = MastersPage(self.session, self.jobs, theme(), self)
        self.reduce_page = ReducePage(self.session, self.jobs, theme(), self)
        self.tabs = QTabWidget()
        self.tabs.setObjectName("tabs")
        self.tabs.setDocumentMode(True)
        for page, title in (
            (self.frames_page, "Frames"),
            (self.masters_page, "Masters"),
            (self.reduce_page, "Reduce"),
        ):
            self.tabs.addTab(page, title)
        self.welcome = Welcome()
        self._stack = QStackedWidget()
        self._stack.addWidget(self.welcome)
        self._stack.addWidget(self.tabs)
        self.setCentralWidget(self._stack)
        self.commands = CommandMap(self, self._commands(), self._page_commands)
        self.tool_bar = ToolBar(self.commands.actions, theme(), self)
        self.tool_bar.set_instruments((name, registry.get(name).title) for name in registry.names())
        self.addToolBar(self.tool_bar)
        self.status = StatusBar(self)
        self.setStatusBar(self.status)
        self.job_status = JobStatus(self.jobs, self.status, self)
        self.docks = Docks(self, self.session)
        self._fill_menus()

    def _fill_menus(self) -> None:
        menu = self.tool_bar.help_button.menu()
        menu.addAction(self.commands.actions["keys"])
        menu.addAction("Help", self.show_help)
        menu.addAction("About", self.show_about)
        view = self.tool_bar.view_button.menu()
        view.addSeparator()
        self.docks.add_toggles(view)
        view.addAction("Reset the layout", self.reset_layout)

    def _commands(self) -> dict[str, Callable[[], Any]]:
        return {
            "open": self.desk.ask,
            "auto_select": self.auto_select,
            "masters": self.build_masters,
            "reduce": self.reduce,
            "stop": self.stop,
            "undo": self.undo,
            "redo": self.redo,
            "tab_frames": partial(self.show_tab, "frames"),
            "tab_masters": partial(self.show_tab, "masters"),
            "tab_reduce": partial(self.show_tab, "reduce"),
            "keys": self.show_keys,
            "quit": self.close,
        }

    def _page_commands(self) -> dict[str, Callable[[], Any]]:
        """Commands of the tab in front; none on the welcome page."""
        if self._stack.currentWidget() is not self.tabs:
            return {}
        offered = getattr(self.tabs.currentWidget(), "commands", None)
        return offered() if callable(offered) else {}

    def _connect(self) -> None:
        session, main = self.session, self.jobs.main
        session.opened.connect(self._night_changed)
        session.tableChanged.connect(self._refresh)
        session.verdictsChanged.connect(self._refresh_count)
        session.measured.connect(self._refresh_count)
        session.groupChanged.connect(self._refresh_count)
        session.historyChanged.connect(self._refresh)
        session.currentChanged.connect(self._show_numbers)
        session.measured.connect(self._show_numbers)
        session.limitsChanged.connect(self._show_numbers)
        session.said.connect(self.say)
        self.desk.refused.connect(self._refused)
        self.desk.said.connect(self.say)
        main.started.connect(self._refresh)
        main.finished.connect(self._refresh)
        main.message.connect(self.say)
        for page in (self.frames_page, self.masters_page):
            page.cursorMoved.connect(self.status.show_pixel)
            page.cursorLeft.connect(self.status.show_no_pixel)
        self.frames_page.cursorMoved.connect(self.docks.inspect.show_pixel)
        self.frames_page.cursorLeft.connect(self.docks.inspect.show_no_pixel)
        self.frames_page.pictureShown.connect(self.docks.show_header)
        self.tabs.currentChanged.connect(self._tab_changed)
        self.docks.tree.clicked.connect(partial(self.show_tab, "frames"))
        self.welcome.openAsked.connect(self.desk.ask)
        self.welcome.demoAsked.connect(self.desk.open_demo)
        self.welcome.nightPicked.connect(self.open_night)
        self.tool_bar.instrumentPicked.connect(self.desk.use_instrument)
        self.tool_bar.cameras.picked.connect(session.set_cameras)
        self.tool_bar.watch.toggled.connect(self.desk.watch)
        self.tool_bar.recent_menu.aboutToShow.connect(partial(self.desk.fill_recent, self.tool_bar.recent_menu))
        self.reduce_page.mastersWanted.connect(self.build_masters)
        self.reduce_page.framesWanted.connect(partial(self.show_tab, "frames"))
        for page in (self.masters_page, self.reduce_page):
            page.stateChanged.connect(self._refresh)
        theme().changed.connect(self._theme_changed)

    # -------------------------------------------------------------- nights

    def open_night(self, path: Path | str, instrument: str | None = None) -> None:
        """Open a night; reading goes on in the background, `session.opened` follows.

        Parameters
        ----------
        path : path
            Folder of the raw frames.
        instrument : str, optional
            Found from the session or the headers when not given.
        """
        self.desk.open(Path(path), instrument)

    def _refused(self, text: str) -> None:
        self.welcome.set_problem(text)
        if text:
            self.say(text, "error")
            instrument = self.session.instrument
            self.tool_bar.show_instrument(instrument.name if instrument else "")

    def _night_changed(self) -> None:
        is_open = self.session.is_open
        self._stack.setCurrentWidget(self.tabs if is_open else self.welcome)
        self.docks.set_night_open(is_open)
        if is_open and not self._laid_out:
            # Docks that were hidden have no size yet; a kept layout is restored over it.
            self._laid_out = True
            if self.restoreState(self.settings.blob("layout")):
                self.docks.layout_restored()
        self.status.set_night(self.session.night)
        night = self.session.night
        self.setWindowTitle(f"{night.name} - photopipe" if night else "photopipe")
        if self._choice is not None:
            self._choice.night_opened()
        else:
            self.show_tab(str(self.session.ui.get("tab", "frames")))
        self._refresh()
        self._show_numbers()

    # -------------------------------------------------------------- doing

    def auto_select(self) -> None:
        """Let the rules judge every frame at the present limits, and say what came of it."""
        self.loader.measure_missing()
        self.say(kept_sentence(self.session.groups()))

    def build_masters(self) -> None:
        """Build the masters, on their tab."""
        self.show_tab("masters")
        self.masters_page.start()

    def reduce(self) -> None:
        """Reduce the night, on its tab."""
        self.show_tab("reduce")
        self.reduce_page.start()

    def stop(self) -> None:
        """Stop after this file; a second call ends the worker processes."""
        main = self.jobs.main
        if not main.busy:
            return
        again = main.stopping
        main.stop()
        if again:
            self.say("Worker processes were ended. What was finished is kept.", "warning")
        else:
            self.say("Stopping after this file. Stop again to end the work at once; finished files are kept.")
        self._refresh()

    def undo(self) -> None:
        """Take back the last decision."""
        text = self.session.undo()
        if text:
            self.status.say(f"Undone: {text}")

    def redo(self) -> None:
        """Take an undone decision again."""
        text = self.session.redo()
        if text:
            self.status.say(f"Redone: {text}")

    def show_tab(self, name: str, _index: Any = None) -> None:
        """Bring a tab to the front: ``frames``, ``masters`` or ``reduce``."""
        if name in _TABS:
            self.tabs.setCurrentIndex(_TABS.index(name))

    def _tab_changed(self, index: int) -> None:
        self.session.remember("tab", _TABS[index])
        self.docks.set_frames_in_front(index == 0)
        self._refresh()

    def show_keys(self) -> None:
        """Show the key sheet."""
        KeySheet(self).show()

    def show_help(self) -> None:
        """Show the help pages."""
        HelpWindow(resource("help"), self).show()

    def show_about(self) -> None:
        """Show versions and licence."""
        lines = "\n".join(" ".join(entry) for entry in self.docks.log.entries()[-200:])
        AboutWindow(lines, self).show()

    # ------------------------------------------------------- what is shown

    def say(self, text: str, level: str = "info") -> None:
        """Tell the observer something: status line and log; a warning brings the log up."""
        self.docks.log.add(text, level)
        self.status.say(text)
        if level != "info" and self.session.is_open:
            self.docks.show_log()

    def _refresh(self, _what: Any = None) -> None:
        """Enable what can be done now, and say why the rest cannot."""
        session, busy = self.session, self.jobs.main.busy
        self.commands.refresh(
            {
                "auto_select": "" if session.is_open else "Open a night first.",
                "masters": self.masters_page.why_not() if self._choice is None else "Finish the choice first.",
                "reduce": self.reduce_page.why_not() if self._choice is None else "Finish the choice first.",
                "stop": "" if busy else "Nothing is running.",
                "undo": "" if session.history.undo_text else "Nothing to undo.",
                "redo": "" if session.history.redo_text else "Nothing to redo.",
                "open": "Stop the job first." if busy else "",
            }
        )
        self.commands.describe("undo", f"Undo: {session.history.undo_text}" if session.history.undo_text else "")
        self.commands.describe("redo", f"Redo: {session.history.redo_text}" if session.history.redo_text else "")
        self.tool_bar.set_stop(self.jobs.main.stopping and self.jobs.main.can_kill)
        self.tool_bar.watch.setEnabled(session.is_open)
        if session.instrument is not None:
            self.tool_bar.show_instrument(session.instrument.name)
        present = {row.camera for row in session.table}
        cameras = {
            camera.number: ", ".join(camera.filters)
            for camera in (session.instrument.cameras if session.instrument else ())
            if camera.number in present
        }
        self.tool_bar.cameras.set_cameras(cameras, session.cameras)
        self.welcome.set_recent(self.settings.recent() if not session.is_open else [])
        self._refresh_count()

    def _refresh_count(self, _ids: Any = None) -> None:
        rows = self.session.shown_rows()
        kept, _ = self.session.count(rows)
        self.status.set_kept(f"{kept} of {len(rows)} kept" if rows else "")

    def _show_numbers(self, _what: Any = None) -> None:
        self.docks.show_frame(self.session)

    def _theme_changed(self) -> None:
        self.settings.set_text("theme", theme().name)

    # -------------------------------------------------- a choice for a script

    def begin_choice(self, ftype: str, cameras: tuple[int, ...], limits: Limits) -> None:
        """Show just the frames of one type, until the observer presses Done."""
        self._choice = Choice(self, ftype, cameras, limits)
        self._choice.ended.connect(self.choiceEnded)

    def choice_result(self) -> Selection | None:
        """What was chosen; None when the choice was given up."""
        return self._choice.result if self._choice is not None else None

    # ------------------------------------------------------ layout, closing

    def reset_layout(self) -> None:
        """Docks and sizes as at the first start."""
        self.settings.remove("geometry")
        self.settings.remove("layout")
        self.docks.reset()

    def _restore(self) -> None:
        self.resize(1280, 800)
        if not self.restoreGeometry(self.settings.blob("geometry")):
            screen = self.screen()
            if screen is not None:
                room = screen.availableGeometry()
                self.resize(min(1600, room.width()), min(960, room.height()))
        self.docks.set_night_open(False)
        self.setWindowTitle("photopipe")

    def close_at_once(self) -> None:
        """Stop what runs and close, without a question: the program was told to end."""
        self._at_once = True
        self.close()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        if event is None:
            return
        if self.jobs.main.busy and not (self._at_once or dialogs.confirm_stop(self)):
            event.ignore()
            return
        self.session.flush()
        if self._choice is None:
            self.docks.set_frames_in_front(True)
            self.settings.set_blob("geometry", self.saveGeometry())
            if self.session.is_open:
                self.settings.set_blob("layout", self.saveState())
            self.settings.sync()
        else:
            self._choice.window_closed()
        self.loader.set_watching(False)
        self.jobs.close()
        self._workers.close()
        event.accept()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        if event is not None and dropped_folder(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        folder = dropped_folder(event.mimeData()) if event is not None else None
        if folder is not None:
            self.open_night(folder)

    def createPopupMenu(self) -> None:  # type: ignore[override]
        """No context menu over toolbar and dock titles: the layout menu has it."""
        return None
