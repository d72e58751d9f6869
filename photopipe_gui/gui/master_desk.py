"""The masters of the open night: their list, what is on disk, and the building of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from ..errors import FrameError
from ..reduction.preprocess.master_file import read_master
from ..reduction.preprocess.master_types import MasterParams, MasterResult
from ..reduction.table import FrameTable
from ..reduction.workspace import CALIBRATION
from .jobs import JobOutcome, Jobs
from .models.master_facts import read_facts
from .models.masters import MasterEntry, MasterList, State, list_masters
from .models.night import NightModel
from .tasks_masters import BuildRequest, adopt_master, build_masters

JOB_NAME = "masters"
Ident = tuple[str, str]
Idents = tuple[Ident, ...]


class MasterDesk(QObject):
    """Keeps the list of masters right and builds them.

    Signals
    -------
    changed()
        States changed, or whether masters can be built.
    entryRead(tuple)
        Type and key of a master whose file, or whose inputs, were read.
    asked(str, tuple)
        A question in place: text, and buttons as (name, title); answered by `answer`. An empty text withdraws it.
    built(list)
        A build is over; its `MasterResult`s.
    """

    changed = pyqtSignal()
    entryRead = pyqtSignal(tuple)
    asked = pyqtSignal(str, tuple)
    built = pyqtSignal(list)

    def __init__(self, session: NightModel, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs = session, jobs
        self.masters = MasterList(self)
        self.method = MasterParams().method
        self._results: dict[Ident, MasterResult] = {}
        self._wanted: dict[Any, str] = {}
        self._pending: Idents = ()
        self._running = False
        self._serial = 0
        jobs.main.started.connect(self._job_changed)
        jobs.main.result.connect(self._took)
        jobs.main.finished.connect(self._finished)
        jobs.side.finished.connect(self._side_finished)
        jobs.reader.ready.connect(self._answered)
        jobs.reader.failed.connect(self._failed)

    # ------------------------------------------------------------ the night

    def open(self) -> None:
        """Another night is on the table."""
        session = self._session
        self.masters.clear()
        self._results.clear()
        self._wanted.clear()
        self._pending = ()
        self.asked.emit("", ())
        approved, fmin = session.ui.get("approved"), session.ui.get("fmin")
        self.masters.set_approved(approved if isinstance(approved, dict) else {})
        if isinstance(fmin, int) and fmin > 0:
            session.fmin = fmin
        self.method = str(session.ui.get("master_method", MasterParams().method))
        self.refresh()

    def refresh(self) -> None:
        """Bring the list up to the verdicts, and look for masters on disk that were not read yet."""
        session = self._session
        if session.night is None or session.instrument is None:
            self.masters.set_entries(())
        else:
            self.masters.fmin = session.fmin
            folder = session.night / CALIBRATION
            self.masters.set_entries(list_masters(session.instrument, self._table(), session.selection, folder))
            for entry in self.masters.entries:
                if self.masters.facts(entry) is None:
                    self.read(entry.ident)
        self.changed.emit()

    def _table(self) -> FrameTable:
        session = self._session
        return FrameTable(session.table.folder, session.table.instrument, session.rows())

    def set_fmin(self, fmin: int) -> None:
        """Set the number of frames below which is asked."""
        self._session.fmin = fmin
        self._session.remember("fmin", fmin)
        self.masters.set_fmin(fmin)
        self.changed.emit()

    def set_method(self, method: str) -> None:
        """Set how frames are combined from now on."""
        self.method = method
        self._session.remember("master_method", method)

    def approve(self, entry: MasterEntry, on: bool) -> None:
        """Approve a master as it is on disk; kept in the session."""
        self._session.remember("approved", self.masters.approve(entry, on))
        self.entryRead.emit(entry.ident)

    # --------------------------------------------------------- what is on disk

    def read(self, ident: Ident) -> None:
        """Read the file of a master: facts, and what each input gave."""
        entry = self.masters.entry(ident)
        if entry is None:
            return
        path = entry.path
        frames = [row.path for row in self._session.table if row.ftype == ident[0]]
        self._request(f"{ident[0]} {ident[1]}", lambda: (ident, path, read_facts(path), _read_inputs(path, frames)))

    def result(self, ident: Ident) -> MasterResult | None:
        """Return what each input gave to a master on disk; None when that is not known."""
        return self._results.get(ident)

    def _request(self, kind: str, function: Callable[[], Any]) -> None:
        self._serial += 1
        key = ("master on disk", kind, self._serial)
        self._wanted[kind] = key
        self._jobs.reader.request(key, function)

    def _answered(self, key: Any, value: Any) -> None:
        if not isinstance(key, tuple) or key[:1] != ("master on disk",) or self._wanted.get(key[1]) != key:
            return
        ident, path, facts, result = value
        if result is not None:
            self._results[ident] = result
        if facts is None:
            self.masters.forget_facts(path)
        else:
            self.masters.set_facts(facts)
        self.entryRead.emit(ident)
        self.changed.emit()

    def adopt(self, entry: MasterEntry, source: Path) -> None:
        """Take over a master of another night; what is wrong with it is said in place."""
        rows = [row for row in self._session.table if row.area is not None and not row.problem]
        like = [row for row in rows if entry.ident in ((row.ftype, row.key), (entry.mtype, f"C{row.camera}"))]
        like = like or [row for row in rows if entry.ident == ("flat", row.filter)]
        shape = like[0].area.shape if like and like[0].area is not None and not like[0].channel else None
        ident = entry.ident

        def job() -> Any:
            path = adopt_master(source, entry, shape)
            return ident, path, read_facts(path), None

        self._request(f"adopt {ident[0]} {ident[1]}", job)

    def _failed(self, key: Any, reason: str) -> None:
        if isinstance(key, tuple) and key[:1] == ("master on disk",) and self._wanted.get(key[1]) == key:
            self.asked.emit(reason, ())

    # ------------------------------------------------------------ building

    def why_not(self) -> str:
        """Return why masters cannot be built now, in words; empty when they can."""
        if not self._session.is_open:
            return "Open a night first."
        if self._jobs.main.busy:
            return "Another job is running: wait, or stop it."
        if self._jobs.side.busy and self._session.unmeasured():
            return "Frames are still being measured: wait a moment."
        if not any(entry.kept for entry in self.masters.entries):
            return "No bias, dark or flat frames are kept: accept some in the Frames tab."
        return ""

    def build_all(self) -> bool:
        """Build every master that is missing or out of date; asks when there is none."""
        self.refresh()
        idents = tuple(entry.ident for entry in self.masters.to_build())
        if idents or self.why_not():
            return self.build(idents)
        self._pending = tuple(entry.ident for entry in self.masters.entries if entry.kept)
        self.asked.emit("All masters are up to date.", (("again", "Build all again"),))
        return False

    def build(self, idents: Idents, sure: bool = False, redo: bool = False) -> bool:
        """Build masters and what they need; asks first, in place, about those with too few frames."""
        reason = self.why_not()
        if reason:
            self.asked.emit(reason, ())
            return False
        entries = [self.masters.entry(ident) for ident in self._with_needs(idents)]
        wanted = [entry for entry in entries if entry is not None and entry.kept]
        few = [entry for entry in wanted if entry.too_few(self.masters.fmin)]
        if few and not sure:
            self._ask_few([entry.ident for entry in wanted], few)
            return False
        return self._run(tuple(entry.ident for entry in wanted), {e.ident for e in few}, redo) if wanted else False

    def answer(self, choice: str) -> None:
        """Take the answer to a question."""
        idents, self._pending = self._pending, ()
        self.asked.emit("", ())
        if choice == "anyway":
            self.build(idents, sure=True)
        elif choice == "again":
            self.build(idents, redo=True)
        elif choice == "rest":
            enough = [e.ident for e in self.masters.entries if e.ident in idents and not e.too_few(self.masters.fmin)]
            self.build(tuple(enough))

    def _ask_few(self, idents: list[Ident], few: list[MasterEntry]) -> None:
        self._pending = tuple(idents)
        wanted = self.masters.fmin
        if len(few) == 1:
            frames = "1 frame" if len(few[0].kept) == 1 else f"{len(few[0].kept)} frames"
            text = f"{few[0].title}: only {frames} ({wanted} wanted). Build anyway?"
        else:
            listed = ", ".join(f"{entry.title} {len(entry.kept)}" for entry in few)
            text = f"Fewer frames than the {wanted} wanted: {listed}. Build anyway?"
        rest = (("rest", "Leave out"),) if len(idents) > len(few) else ()
        self.asked.emit(text, (("anyway", "Build anyway"), *rest, ("cancel", "Cancel")))

    def _with_needs(self, idents: Idents) -> Idents:
        """Add the bias and dark of the same cameras that are not up to date."""
        cameras = {row.frame_id: row.camera for row in self._session.table}
        wanted = set(idents)
        for mtype, key in idents:
            entry = self.masters.entry((mtype, key))
            for camera in {cameras[name] for name in entry.kept if name in cameras} if entry else ():
                for below in {"dark": ("bias",), "flat": ("bias", "dark")}.get(mtype, ()):
                    need = self.masters.entry((below, f"C{camera}"))
                    if need is not None and need.kept and need.state is not State.CURRENT:
                        wanted.add(need.ident)
        return tuple(entry.ident for entry in self.masters.entries if entry.ident in wanted)

    def _run(self, idents: Idents, confirmed: set[Ident], redo: bool) -> bool:
        session = self._session
        if session.night is None or session.instrument is None:
            return False
        params = MasterParams(method=self.method, fmin=self.masters.fmin)
        sure = frozenset(confirmed)
        request = BuildRequest(
            session.night, session.instrument, self._table(), session.selection, idents, params, sure, redo
        )
        # Before the start: the first results may come at once.
        self.masters.set_building(idents)
        self._running = self._jobs.main.start(JOB_NAME, build_masters(request))
        if not self._running:
            self.masters.set_building(())
        self.asked.emit("", ())
        return self._running

    def _took(self, item: object) -> None:
        if not self._running or not isinstance(item, MasterResult):
            return
        ident = (item.mtype, item.key)
        if item.problem:
            self.masters.set_failed(ident, item.problem)
        else:
            self._results[ident] = item
            self.masters.set_built(ident)
        self.read(ident)

    def _finished(self, outcome: JobOutcome) -> None:
        if self._running:
            self._running = False
            self.masters.set_building(())
            results: list[MasterResult] = outcome.value if outcome.ok else []
            few = tuple((r.mtype, r.key) for r in results if r.needs_confirmation)
            if few:
                self._pending = few
                names = ", ".join(" ".join(ident) for ident in few)
                text = f"{names}: fewer frames than wanted can be used. Build anyway?"
                self.asked.emit(text, (("anyway", "Build anyway"), ("cancel", "Cancel")))
            if outcome.state == "failed":
                self.asked.emit(f"The masters could not be built: {outcome.error}", ())
            self.built.emit(results)
        self._job_changed("")

    def _job_changed(self, _name: str) -> None:
        self.changed.emit()

    def _side_finished(self, _outcome: JobOutcome) -> None:
        self.refresh()


def _read_inputs(path: Path, frames: list[Path]) -> MasterResult | None:
    """Return what the header of a master says of its inputs; None when there is none, or of another program."""
    try:
        return read_master(path, frames) if path.is_file() else None
    except FrameError:
        return None
