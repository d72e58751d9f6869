"""The Masters tab: build master frames, look at them and at what went into them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QModelIndex, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from ..jobs import Jobs
from ..master_desk import MasterDesk
from ..models.master_inputs import InputEntry, InputList
from ..models.masters import MasterEntry, State
from ..models.night import NightModel
from ..tasks_masters import MasterPicture, Residual, read_master_picture, residual_of
from ..theme import Theme
from ..widgets import dialogs
from ..widgets.inputs_bar import InputsBar
from ..widgets.master_inputs import InputStrip
from ..widgets.master_side import MasterSide
from ..widgets.master_view import MasterView, facts_of
from ..widgets.notice import Notice

_SETTLE_MS = 250


class MastersPage(QWidget):
    """Masters of the night.

    Signals
    -------
    stateChanged()
        Whether masters can be built now changed.
    cursorMoved(float, float, float), cursorLeft()
        As `ImageView`.
    """

    stateChanged = pyqtSignal()
    cursorMoved = pyqtSignal(float, float, float)
    cursorLeft = pyqtSignal()

    def __init__(self, session: NightModel, jobs: Jobs, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs, self._theme = session, jobs, theme
        self.desk = MasterDesk(session, jobs, self)
        self.inputs = InputList(self)
        self._current: tuple[str, str] = ("", "")
        self._picture_key: Any = None
        self._build()
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self.desk.refresh)
        self._connect()
        self._night_opened()

    # ------------------------------------------------------------- building

    def _build(self) -> None:
        self.side = MasterSide(self.desk.masters)
        self.view = MasterView()
        self.notice = Notice()
        self.bar = InputsBar()
        self.strip = InputStrip(self.inputs)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.notice)
        column.addWidget(self.view, 1)
        column.addWidget(self.bar)
        column.addWidget(self.strip)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.side)
        split.addWidget(right)
        split.setStretchFactor(1, 1)
        split.setSizes([240, 900])
        split.setChildrenCollapsible(False)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(split)

    def _connect(self) -> None:
        session, desk, side, bar = self._session, self.desk, self.side, self.bar
        session.opened.connect(self._night_opened)
        session.tableChanged.connect(self._settle.start)
        session.verdictsChanged.connect(self._later)
        session.measured.connect(self._later)
        desk.changed.connect(self._desk_changed)
        desk.entryRead.connect(self._entry_read)
        desk.asked.connect(self.notice.ask)
        self.notice.chosen.connect(desk.answer)
        self._jobs.reader.ready.connect(self._answered)
        self._jobs.reader.failed.connect(self._answer_failed)
        side.list.selectionModel().currentChanged.connect(self._picked)
        side.buildWanted.connect(self.build_selected)
        side.buildAllWanted.connect(self.start)
        side.fminChanged.connect(desk.set_fmin)
        side.methodChanged.connect(desk.set_method)
        self.strip.picked.connect(self._input_picked)
        self.view.planeChosen.connect(self._show_plane)
        self.view.image.cursorMoved.connect(self.cursorMoved)
        self.view.image.cursorLeft.connect(self.cursorLeft)
        bar.sendBack.connect(self.send_back)
        bar.takeBack.connect(self.take_back)
        bar.rebuild.connect(self.rebuild)
        bar.approve.connect(self.approve)
        bar.adopt.connect(self.adopt)

    def commands(self) -> dict[str, Callable[[], Any]]:
        """What the window's keys do on this tab."""
        image = self.view.image
        return {
            "accept": self.take_back,
            "reject": self.send_back,
            "previous": lambda: self._step(-1),
            "next": lambda: self._step(1),
            "stretch": image.next_stretch,
            "fit": image.fit,
            "actual": image.actual_size,
            "lock": lambda: image.set_locked(not image.locked),
            "bad": lambda: image.set_show_bad(not image.shows_bad),
        }

    # -------------------------------------------------------------- commands

    def why_not(self) -> str:
        """Return why masters cannot be built now, in words; empty when they can."""
        return self.desk.why_not()

    def start(self) -> bool:
        """Build every master that is missing or out of date."""
        return self.desk.build_all()

    def build_selected(self) -> bool:
        """Build the selected masters again, with the bias and dark that they need."""
        return self.desk.build(tuple(e.ident for e in self.side.list.selected() if e.kept), redo=True)

    def rebuild(self) -> bool:
        """Build the master shown from the frames that are kept now."""
        return self.desk.build((self._current,))

    def send_back(self) -> None:
        """Reject the selected inputs, by hand."""
        self._session.set_hand(self.strip.selected_ids(), False)
        self.desk.refresh()

    def take_back(self) -> None:
        """Accept the selected inputs, by hand."""
        self._session.set_hand(self.strip.selected_ids(), True)
        self.desk.refresh()

    def approve(self, on: bool = True) -> None:
        """Approve the master shown as it is on disk."""
        entry = self.current
        if entry is not None:
            self.desk.approve(entry, on)

    def adopt(self) -> None:
        """Ask for a master of another night, to be used for the one shown."""
        entry = self.current
        if entry is None:
            return
        kinds = f"Masters {entry.title} ({entry.path.name});;FITS files (*.fits);;All files (*)"
        start = str(self._session.night.parent) if self._session.night else ""
        chosen = dialogs.pick_file(self, f"A master {entry.title} of another night", start, kinds)
        if chosen:
            self.desk.adopt(entry, Path(chosen))

    def _step(self, by: int) -> None:
        """Go to the next input."""
        count = self.inputs.rowCount()
        chosen = self.inputs.entry((self.strip.currentIndex().row() + by) % count) if count else None
        if chosen is not None:
            self.strip.select(chosen.row.frame_id)

    # ----------------------------------------------------- night and masters

    def _night_opened(self) -> None:
        session = self._session
        self.inputs.set_inputs(())
        self.strip.forget_pictures()
        self._picture_key = None
        saved = session.ui.get("master", ())
        pair = isinstance(saved, (list, tuple)) and len(saved) == 2
        self._current = (str(saved[0]), str(saved[1])) if pair else ("", "")
        self.desk.open()
        self.side.set_choices(self.desk.method, session.fmin)

    def _later(self, _ids: object) -> None:
        self._settle.start()

    def _desk_changed(self) -> None:
        masters = self.desk.masters
        if masters.entries and masters.entry(self._current) is None:
            self._current = masters.entries[0].ident
        row = masters.row_of(self._current)
        if row >= 0 and self.side.list.currentIndex().row() != row:
            self.side.list.setCurrentIndex(masters.index(row))
        self.side.set_buttons(self.why_not())
        self.side.set_choices(self.desk.method, self._session.fmin)
        self.bar.set_busy(self._jobs.main.busy)
        self._show_current()
        self.stateChanged.emit()

    def _entry_read(self, ident: tuple[str, str]) -> None:
        if ident == self._current:
            self._show_current()

    @property
    def current(self) -> MasterEntry | None:
        """The master shown."""
        return self.desk.masters.entry(self._current)

    def _picked(self, index: QModelIndex, _before: QModelIndex) -> None:
        entries = self.desk.masters.entries
        if index.isValid() and index.row() < len(entries) and entries[index.row()].ident != self._current:
            self._current = entries[index.row()].ident
            self._session.remember("master", list(self._current))
            self.view.set_plane("")
            self.inputs.set_inputs(())
            self._show_current()

    # ------------------------------------------------------- what is shown

    def _show_current(self) -> None:
        """Show inputs, facts and picture of the master selected."""
        entry = self.current
        self.bar.show_entry(entry)
        if entry is None:
            self.inputs.set_inputs(())
            self.view.facts.set_facts(())
            self.view.set_title(None, "")
            self.view.set_planes_enabled(False, False)
            is_open = self._session.is_open
            self.view.show_nothing("The night has no bias, dark or flat frames." if is_open else "Open a night first.")
            return
        facts = self.desk.masters.facts(entry)
        there = facts is not None and not facts.problem
        self._show_title(entry)
        self.view.facts.set_facts(facts_of(entry, facts))
        self._fill_inputs(entry, set(facts.inputs) if facts else set())
        self.view.set_planes_enabled(there, self.strip.currentIndex().isValid())
        if there:
            self._show_plane(self.view.plane)
            return
        self._picture_key = None
        said = entry.state in (State.FAILED, State.NO_INPUTS, State.BUILDING)
        text = entry.reason.rstrip(".")
        self.view.show_nothing(f"{text}." if said else f"This master is not built yet: {text}.")

    def _show_title(self, entry: MasterEntry) -> None:
        """Say which master is shown and how it stands, or whose residual."""
        chosen = self.inputs.entry(self.strip.currentIndex().row()) if self.view.plane == "residual" else None
        if chosen is None:
            said = "approved" if entry.approved else str(entry.state)
            self.view.set_title(entry.state, f"{entry.title}: {said}. {entry.reason}")
            return
        numbers = f": {chosen.residual_text} on average, {chosen.outlier_text} outliers" if chosen.residual_text else ""
        self.view.set_title(entry.state, f"{chosen.row.frame_id} minus master {entry.title}{numbers}")

    def _fill_inputs(self, entry: MasterEntry, used: set[str]) -> None:
        session = self._session
        result = self.desk.result(entry.ident)
        numbers = {item.path.name.rsplit(".", 1)[0]: item for item in result.inputs} if result else {}
        inputs = []
        for name in entry.given:
            row, found = session.row(name), numbers.get(name)
            if row is None:
                continue
            known = InputEntry(
                row, session.verdict(name), session.level(name), session.thumbnails.get(name), name in used
            )
            inputs.append(known.with_result(found) if found is not None else known)
        self.inputs.set_inputs(inputs)
        self.bar.show_input(self.inputs.entry(self.strip.currentIndex().row()))

    def _show_plane(self, plane: str) -> None:
        entry = self.current
        facts = self.desk.masters.facts(entry) if entry else None
        if entry is None or facts is None:
            return
        self._show_title(entry)
        path: Path = entry.path
        if plane == "residual":
            chosen = self.inputs.entry(self.strip.currentIndex().row())
            if chosen is None:
                self.view.set_plane("")
                self._show_plane("")
                return
            row, mtype = chosen.row, entry.mtype
            self._ask(("residual", str(path), facts.changed, row.frame_id), lambda: residual_of(row, mtype, path))
        else:
            self._ask(("master", str(path), facts.changed, plane), lambda: read_master_picture(path, plane))

    def _ask(self, key: Any, function: Callable[[], Any]) -> None:
        """Have a picture read off the UI thread; the one that is shown already is not read again."""
        if key != self._picture_key:
            self._picture_key = key
            self._jobs.reader.request(key, function)

    def _answered(self, key: Any, value: Any) -> None:
        if key != self._picture_key:
            return
        if isinstance(value, MasterPicture):
            self.view.show_picture(value, self._current[0], key[3])
        elif isinstance(value, Residual):
            self.view.show_residual(value)

    def _answer_failed(self, key: Any, reason: str) -> None:
        if key == self._picture_key:
            self._picture_key = None
            self.view.show_nothing(reason)

    def _input_picked(self, _frame_id: str) -> None:
        entry = self.current
        facts = self.desk.masters.facts(entry) if entry else None
        there = facts is not None and not facts.problem
        self.view.set_planes_enabled(there, True)
        self.bar.show_input(self.inputs.entry(self.strip.currentIndex().row()))
        if there:
            self.view.set_plane("residual")
            self._show_plane("residual")
