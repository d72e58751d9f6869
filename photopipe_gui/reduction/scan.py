"""From a night directory to its frame table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ..errors import FrameError
from ..instruments.header import describe
from ..instruments.model import Camera, Channel, HeaderProblem, Instrument
from ..instruments.naming import classify, fits_files, is_half_copy, is_raw, parse_standard
from ..instruments.rawheader import Layout, read_layout
from .progress import Progress, Reporter, SilentReporter, check_cancelled
from .table import FrameRow, FrameTable


def stem_of(path: Path) -> str:
    """Return the name of a frame without its FITS ending."""
    name = path.name[:-3] if path.name.lower().endswith(".fz") else path.name
    return name.rsplit(".", 1)[0]


def scan_file(path: Path, instrument: Instrument) -> tuple[list[FrameRow], str]:
    """Return the rows of one raw file, and a note instead when it is no frame of the instrument.

    A file that cannot be read becomes a row with a problem when its name tells camera and type.
    """
    name = parse_standard(path.name)
    try:
        layout = read_layout(path)
    except FrameError as error:
        if name is None:
            return [], str(error)
        reason = f"{error.reason}. {error.remedy}".strip()
        return [FrameRow(stem_of(path), path, name.camera, "", name.ftype, "", problem=reason)], ""
    try:
        number, ftype = classify(instrument, path.name, layout.cards)
        camera = instrument.camera(number)
    except (HeaderProblem, KeyError) as problem:
        return [], f"{path.name}: {problem.args[0]}"
    if not instrument.recognise(layout.cards):
        other = layout.cards.get("INSTRUME", "missing")
        row = FrameRow(
            stem_of(path),
            path,
            number,
            "",
            ftype,
            "",
            shape=layout.shape,
            problem=f"INSTRUME is {other}: not a frame of {instrument.title}",
        )
        return [row], ""
    return [_row(path, instrument, camera, channel, layout, ftype) for channel in camera.channels], ""


def _row(path: Path, instrument: Instrument, camera: Camera, channel: Channel, layout: Layout, ftype: str) -> FrameRow:
    info = describe(instrument, layout.cards, camera, channel, layout.shape, ftype)
    frame_id = stem_of(path) + (f"_{info.filter}" if channel.suffix else "")
    return FrameRow(
        frame_id,
        path,
        camera.number,
        channel.suffix,
        ftype,
        info.filter,
        info.exptime,
        info.time,
        info.date_obs,
        info.target,
        info.airmass,
        info.saturation,
        info.gain,
        info.scale,
        info.area,
        layout.shape,
        info.target_half,
        info.problem,
    )


def scan(folder: Path | str, instrument: Instrument, reporter: Reporter | None = None) -> FrameTable:
    """Read the headers of a night's raw frames.

    Frames with the instrument's own names are taken as they are; nothing in the night is changed. A damaged frame
    becomes a row with a problem, a file that is no raw frame a note; neither ends the scan.

    Raises
    ------
    NightError
        When the folder is missing or unreadable.
    """
    folder = Path(folder)
    reporter = reporter or SilentReporter()
    rows: list[FrameRow] = []
    notes: list[str] = []
    others: Counter[str] = Counter()
    files = fits_files(folder)
    for done, path in enumerate(files):
        check_cancelled(reporter)
        if done % 20 == 0:
            reporter.progress(Progress("reading headers", done, len(files), item=path.name))
        if is_half_copy(path.name):
            continue
        if not is_raw(instrument, path.name):
            others[path.name] += 1
            continue
        found, note = scan_file(path, instrument)
        rows += found
        notes += [note] if note else []
    if others:
        some = ", ".join(sorted(others)[:3]) + (", ..." if len(others) > 3 else "")
        notes.append(
            f"{len(others)} other FITS files are not raw frames of {instrument.title} and were left alone: {some}"
        )
    reporter.progress(Progress("reading headers", len(files), len(files)))
    rows.sort(key=lambda row: (row.mjd if row.mjd == row.mjd else _time_from_name(row), row.frame_id))
    return FrameTable(folder, instrument.name, tuple(rows), tuple(notes))


def _time_from_name(row: FrameRow) -> float:
    """Sort a frame without a readable time by its name; far in the future when that tells nothing either."""
    from ..instruments.values import mjd, moment

    name = parse_standard(row.path.name)
    if name is None:
        return 1e9
    t = name.time
    try:
        return mjd(moment(f"{t[:4]}-{t[4:6]}-{t[6:8]}T{t[9:11]}:{t[11:13]}:{t[13:15]}"))
    except HeaderProblem:
        return 1e9
