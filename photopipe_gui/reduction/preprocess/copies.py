"""Copies of raw frames: cropped, the pixels exact, with a standard header; and the lists that name them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from astropy.io import fits

from ...errors import FrameError, NightError
from ...instruments.cards import Card
from ...instruments.header import COMMENTS, describe, standard_cards
from ...instruments.model import Instrument
from ...instruments.rawheader import read_layout
from ..digest import WRITER, digest_of, file_mark, is_ours, recorded_digest
from ..fitsio import read_pixels, write_image
from ..progress import Progress, Reporter, SilentReporter, check_cancelled
from ..selection import FrameLists, Selection
from ..table import FrameRow, FrameTable


def header_from_cards(cards: Mapping[str, Card]) -> fits.Header:
    """Return an astropy header of standard cards; a value that FITS cannot hold is left out."""
    header = fits.Header()
    for key, value in cards.items():
        if isinstance(value, float) and not math.isfinite(value):
            continue
        if isinstance(value, str):
            value = "".join(c if 32 <= ord(c) < 127 else "?" for c in value)[:68]
        header[key] = (value, COMMENTS.get(key, ""))
    return header


def copy_frame(instrument: Instrument, row: FrameRow, target: Path) -> bool:
    """Write the standardised copy of one row unless it stands there already, made from the same raw file.

    Returns
    -------
    bool
        Whether it was written now.

    Raises
    ------
    FrameError
        When the raw frame cannot be read, or a file that is not ours has the copy's name.
    """
    camera = instrument.camera(row.camera)
    channel = next(channel for channel in camera.channels if channel.suffix == row.channel)
    digest = digest_of("copy", file_mark(row.path), row.channel)
    if target.exists():
        if not is_ours(target):
            raise FrameError(
                target,
                "a file of that name, not written by this program, is in the way",
                "Move it away and choose the science frames again.",
            )
        if recorded_digest(target) == digest:
            return False
    layout = read_layout(row.path)
    info = describe(instrument, layout.cards, camera, channel, layout.shape, row.ftype)
    if info.area is None:
        raise FrameError(row.path, info.problem or "the science area is unknown", "Leave it out.")
    header = header_from_cards(standard_cards(instrument, layout.cards, camera, channel, info, row.path.name))
    header["PPWRITER"] = (WRITER, "program that wrote this file")
    header["PPDIGEST"] = (digest, "inputs and parameters")
    write_image(target, read_pixels(row.path, info.area, layout), header)
    return True


def _own_name(row: FrameRow) -> str:
    return f"{row.frame_id}.fits"


def calibration_lists(instrument: Instrument, table: FrameTable, selection: Selection, night: Path) -> FrameLists:
    """Return the kept calibration frames by key; kept halves of split cameras are written into the night first."""
    lists: FrameLists = {}
    for row in selection.kept(table):
        path = row.path
        if row.channel:
            path = night / _own_name(row)
            copy_frame(instrument, row, path)
        lists.setdefault(row.key, []).append(str(path.resolve()))
    return lists


def copy_science(
    instrument: Instrument,
    table: FrameTable,
    selection: Selection,
    targetdir: Path,
    reporter: Reporter | None = None,
) -> FrameLists:
    """Copy the kept science frames into a folder and take away our copies of frames that are now rejected.

    Returns
    -------
    dict of str to list of str
        Absolute paths by filter.

    Raises
    ------
    NightError
        When the folder cannot be made or written to.
    """
    reporter = reporter or SilentReporter()
    try:
        targetdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NightError(
            f"The folder {targetdir} cannot be made ({error.strerror}). Check that you may write there."
        ) from error
    lists: FrameLists = {}
    rows = [row for row in table if row.ftype == "object"]
    for done, row in enumerate(rows):
        check_cancelled(reporter)
        reporter.progress(Progress("copying science frames", done, len(rows), item=row.frame_id))
        target = targetdir / _own_name(row)
        if not selection.keeps(row.frame_id):
            if target.exists() and is_ours(target):
                target.unlink()
            continue
        try:
            copy_frame(instrument, row, target)
        except FrameError as error:
            reporter.message(str(error), "error")
            continue
        if row.target_half is False and not any(other.target_half for other in table.siblings(row)):
            reporter.message(f"{row.frame_id}: the target is on neither half; kept as sky.", "warning")
        lists.setdefault(row.filter, []).append(str(target))
    reporter.progress(Progress("copying science frames", len(rows), len(rows)))
    return lists
