"""The published call: the whole reduction of selected frames."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ..executor import Executor, make_executor
from ..params import from_mapping
from ..progress import Reporter
from ..workspace import Workspace
from .pipeline import run
from .plan import AutoprocParams, RunPlan, plan
from .report import RunReport

_log = logging.getLogger(__name__)


class _LogReporter:
    """Steps and messages go to the log; the last line of the call is the summary."""

    def __init__(self, quiet: bool) -> None:
        self._level = logging.DEBUG if quiet else logging.INFO
        self._job = ""

    def progress(self, event: Any) -> None:
        if event.job != self._job:
            self._job = event.job
            _log.log(self._level, "%s: %d files", event.job, event.total)

    def message(self, text: str, level: str = "info") -> None:
        _log.log({"info": self._level, "warning": logging.WARNING}.get(level, logging.ERROR), "%s", text)

    def result(self, item: object) -> None:
        """The report holds the results."""

    def cancelled(self) -> bool:
        return False


def executor_for(params: AutoprocParams) -> Executor:
    """Return the executor that the options ask for."""
    if params.dask:
        return make_executor("dask", address=params.dask)
    return make_executor("processes", params.workers or None)


def run_plan(run_this: RunPlan, reporter: Reporter) -> RunReport:
    """Carry out a plan on the executor that its options ask for."""
    executor = executor_for(run_this.params)
    try:
        return run(run_this, executor, reporter)
    finally:
        executor.close()


def autoproc(
    datadir: str | Path | None = None,
    imdir: str | Path | None = None,
    caldir: str | Path | None = None,
    start: str | None = None,
    stop: str | None = None,
    only: str | None = None,
    step: str | None = None,
    nocrclean: bool = False,
    mastersky: bool = True,
    skyflattarg: bool = True,
    redo: bool = False,
    quiet: bool = False,
    rmifiles: bool = False,
    customcat: str | Path | None = None,
    customcatfilt: Iterable[str] | str | None = None,
    nogaia: bool = False,
    debug: bool = False,
    *,
    nomastersky: bool | None = None,
    refcat: str | Path | None = None,
    offline: bool = False,
    workers: int = 0,
    dask: str = "",
    overrides: dict[str, dict[str, Any]] | None = None,
) -> RunReport:
    """Reduce selected frames, step by step, to coadds.

    Parameters
    ----------
    datadir, imdir : path
        Selected frames and products; as a rule ``NIGHT/selected`` and ``NIGHT/reduced``. The current directory by
        default.
    caldir : path, optional
        Where masters are looked for first; then ``calibration`` beside ``datadir``, the current directory,
        ``datadir``, ``imdir``.
    start, stop, only, step : str, optional
        Steps: from ``start`` to ``stop``, or ``only`` one (``step`` is another spelling).
    nocrclean : bool
        Leave out the removal of cosmic rays.
    mastersky : bool
        Subtract sky frames; False (or ``nomastersky=True``): each frame's median alone.
    skyflattarg : bool
        One sky frame per filter and target; False: one per filter.
    redo : bool
        Make existing products anew.
    quiet, debug : bool
        Less, or more, in the log.
    rmifiles : bool
        Remove the intermediate products at the end.
    customcat, customcatfilt
        Text table of reference magnitudes, and the filters for which it is used.
    nogaia : bool
        Do not ask Gaia.
    refcat : path, optional
        Reference catalogue file.
    offline : bool
        Ask nothing over the network.
    workers, dask
        Worker processes (0: all cores), or the address of a dask scheduler.
    overrides : mapping, optional
        Options of single steps: ``{"crclean": {"sigclip": 5}}``.

    Returns
    -------
    RunReport
        Also written beside ``imdir`` as ``photopipe_report.json``.

    Raises
    ------
    UsageError
        For options that name what does not exist; an unknown step lists the eight.
    NightError
        When there is nothing to reduce, or nothing can be written.
    """
    if step and only and step != only:
        raise UsageError(f"only ({only}) and step ({step}) name different steps.")
    if nomastersky is not None:
        mastersky = not nomastersky
    if debug:
        logging.getLogger("photopipe_gui").setLevel(logging.DEBUG)
    filters = customcatfilt.split(",") if isinstance(customcatfilt, str) else customcatfilt or ()
    options = from_mapping(
        AutoprocParams,
        {
            "start": start or "",
            "stop": stop or "",
            "only": only or step or "",
            "redo": bool(redo),
            "nocrclean": bool(nocrclean),
            "mastersky": bool(mastersky),
            "skyflattarg": bool(skyflattarg),
            "rmifiles": bool(rmifiles),
            "refcat": str(refcat or ""),
            "customcat": str(customcat or ""),
            "customcatfilt": tuple(str(name).strip() for name in filters if str(name).strip()),
            "nogaia": bool(nogaia),
            "offline": bool(offline),
            "workers": workers,
            "dask": dask,
            "overrides": overrides or {},
        },
    )
    workspace = Workspace.of_folders(datadir or ".", imdir or ".", caldir)
    report = run_plan(plan(workspace, options), _LogReporter(quiet))
    for sentence in report.lost_sentences():
        _log.warning("%s", sentence)
    _log.info("%d coadds in %s", len(report.coadds), workspace.coadds)
    return report
