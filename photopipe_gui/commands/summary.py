"""What a command prints at its end: what was chosen, built, reduced and lost."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..logs import log_file
from .screen import make_console

if TYPE_CHECKING:
    from ..reduction.auto.report import RunReport
    from ..reduction.night import NightResult
    from ..reduction.preprocess.master_types import MasterResult

_MOST_LOST = 60


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; on a terminal it is ruled, elsewhere columns are set apart by blanks."""
    from rich import box
    from rich.table import Table

    console = make_console()
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    console.print(table)


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def _heading(text: str) -> None:
    from rich.text import Text

    make_console().print(Text(f"\n{text}", style="bold"))


def print_selection(result: NightResult) -> None:
    """Print kept and rejected frames by type and key."""
    rows = []
    for ftype, selection in result.selections.items():
        frames = [row for row in result.night.table if row.frame_id in selection.verdicts]
        for key in dict.fromkeys(row.key for row in frames):
            group = [row for row in frames if row.key == key]
            verdicts = [selection.verdicts[row.frame_id] for row in group]
            kept = sum(verdict.keep for verdict in verdicts)
            by_hand = sum(verdict.by == "hand" for verdict in verdicts)
            title = "science" if ftype == "object" else ftype
            rows.append((title, key or "?", str(kept), str(len(group) - kept), str(by_hand), str(len(group))))
    if rows:
        _heading("Frames chosen")
        print_table(("type", "key", "kept", "rejected", "by hand", "of"), rows)


def print_masters(masters: Sequence[MasterResult]) -> None:
    """Print one line a master."""
    if not masters:
        return
    _heading("Master frames")
    rows = []
    for one in masters:
        state = "none" if one.path is None else "kept" if one.reused else "built"
        note = one.problem or str(one.path)
        rows.append((f"{one.mtype} {one.key}", state, f"{one.n_used} of {len(one.inputs)}", f"{one.seconds:.1f}", note))
    print_table(("master", "state", "frames", "s", "file, or why none"), rows)


def print_steps(report: RunReport) -> None:
    """Print how many frames each step did, skipped, dropped and lost."""
    from ..reduction.outcome import Status, count_by_status

    rows = []
    for name in report.steps:
        cells = [o for (frame, step), o in report.outcomes.items() if step == name and not frame.startswith("[")]
        counts = count_by_status(cells)
        numbers = [str(counts[s]) for s in (Status.DONE, Status.SKIPPED, Status.DROPPED, Status.FAILED)]
        rows.append((name, *numbers, f"{report.seconds.get(name, 0.0):.1f}"))
    _heading(f"The steps ({report.state})")
    print_table(("step", "done", "skipped", "dropped", "failed", "s"), rows)


def _number(cards: Mapping[str, Any], key: str) -> float:
    value = cards.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan


def _told(value: float, digits: int, unit: str = "") -> str:
    return f"{value:.{digits}f}{unit}" if math.isfinite(value) else "-"


def _astrometric_rms(report: RunReport, cards: Mapping[str, Any]) -> float:
    """Return the median over a coadd's frames of their rms against the catalogue, arcsec; NaN when there was none."""
    used = [str(value) for key, value in cards.items() if key.startswith("STACK")]
    found = []
    for (frame, step), outcome in report.outcomes.items():
        if step == "astrometry" and any(name.endswith(f"{frame}.fits") for name in used):
            found.append(
                3600
                * math.hypot(*(_number(outcome.measurements, key) for key in ("ASTRRMS1", "ASTRRMS2")))
                / math.sqrt(2)
            )
    found = [rms for rms in found if math.isfinite(rms)]
    return statistics.median(found) if found else math.nan


def _coadd_row(path: Path, report: RunReport) -> tuple[str, ...]:
    from ..errors import FrameError
    from ..reduction.fitsio import read_layout

    try:
        cards = read_layout(path).cards
    except FrameError as error:
        return (path.name, "-", "-", error.reason, "-", "-")
    zero, error = _number(cards, "ABSZPT"), _number(cards, "ABSZPERR")
    return (
        f"{cards.get('TARGNAME', '?')} {cards.get('FILTER', '?')}",
        _told(_number(cards, "NSTACK"), 0),
        _told(_number(cards, "TOTALEXP"), 0),
        f"{_told(zero, 3)} +- {_told(error, 3)}" if math.isfinite(zero) else "no reference",
        _told(_number(cards, "SEEPIX") * _number(cards, "PIXSCALE"), 2),
        _told(_astrometric_rms(report, cards), 3),
    )


def print_coadds(report: RunReport) -> None:
    """Print one line a coadd: frames, exposure, zero point, seeing, astrometric rms, file."""
    rows = [_coadd_row(Path(name), report) for name in report.coadds]
    if not rows:
        _heading("No coadd was made")
        return
    _heading("Coadds")
    print_table(("target, filter", "frames", "exposure (s)", "zero point", 'seeing (")', 'astrometry (")'), rows)
    for name in report.coadds:
        make_console().print(f"  {name}", markup=False, soft_wrap=True)


def print_lost(lost: Sequence[str]) -> None:
    """Print one line for each frame or master that was lost, with its reason."""
    if not lost:
        return
    console = make_console()
    _heading(f"Lost: {len(lost)}")
    for sentence in lost[:_MOST_LOST]:
        console.print(f"  {sentence}", markup=False)
    if len(lost) > _MOST_LOST:
        console.print(f"  and {len(lost) - _MOST_LOST} more; photopipe_report.json in the night names them all")
    file = log_file()
    if file is not None:
        console.print(f"  Log: {file}", markup=False)


def print_night(result: NightResult) -> None:
    """Print the summary of the whole job."""
    print_selection(result)
    print_masters(result.masters)
    if result.report is not None:
        print_steps(result.report)
        print_coadds(result.report)
    print_lost(result.lost)
    seconds = ", ".join(f"{part} {value:.1f} s" for part, value in result.seconds.items())
    make_console().print(f"\n{seconds}. Report: {result.night.folder / 'photopipe_report.json'}", markup=False)
