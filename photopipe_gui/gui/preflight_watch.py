"""Runs the preflight checks off the UI thread whenever something they depend on changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from ..reduction.auto.plan import AutoprocParams
from ..reduction.table import FrameTable
from ..reduction.workspace import CALIBRATION
from .models import preflight as checks_of
from .models.master_facts import survey
from .models.night import NightModel
from .models.preflight import Check, PreflightRequest
from .reader import Reader

_SETTLE_MS = 350


class PreflightWatch(QObject):
    """Keeps the list of checks right.

    Signals
    -------
    changed(tuple)
        Of `Check`.
    """

    changed = pyqtSignal(tuple)

    def __init__(
        self, session: NightModel, reader: Reader, params: Callable[[], AutoprocParams | None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session, self._reader, self._params = session, reader, params
        self._network: bool | None = None
        self._serial = 0
        self._key: Any = None
        self._network_key: Any = None
        self._timer = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._timer.timeout.connect(self._ask)
        reader.ready.connect(self._answered)

    def later(self) -> None:
        """Something changed: check again when it is quiet."""
        if self._session.is_open:
            self._timer.start()

    def ask_network(self, again: bool = False) -> None:
        """Find out whether the catalogue server answers, unless that is known."""
        if self._network is not None and not again:
            return
        self._network = None
        self._serial += 1
        self._network_key = ("network", self._serial)
        self._reader.request(self._network_key, checks_of.server_answers)

    def _ask(self) -> None:
        session, params = self._session, self._params()
        if session.night is None or session.instrument is None or params is None:
            return
        table = FrameTable(session.table.folder, session.table.instrument, session.rows())
        instrument, selection, fmin, network = session.instrument, session.selection, session.fmin, self._network
        science = [row for row in table if row.ftype == "object" and selection.keeps(row.frame_id)]
        night: Path = session.night

        def look() -> tuple[Check, ...]:
            masters = survey(instrument, table, selection, night / CALIBRATION, fmin)
            return checks_of.preflight(PreflightRequest(night, instrument, science, masters, params, network))

        self._serial += 1
        self._key = ("preflight", self._serial)
        self._reader.request(self._key, look)

    def _answered(self, key: Any, value: Any) -> None:
        if key == self._key:
            self.changed.emit(value)
        elif key == self._network_key:
            self._network = bool(value)
            self.later()
