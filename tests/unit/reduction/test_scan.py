"""A night's table: what is taken, what is left alone, in which order."""

import numpy as np
import pytest
from astropy.io import fits

from photopipe_gui.errors import NightError
from photopipe_gui.instruments import registry
from photopipe_gui.reduction.progress import SilentReporter
from photopipe_gui.reduction.scan import scan


def _write(path, shape=(16, 16), **cards):
    fits.PrimaryHDU(np.zeros(shape, np.uint16), fits.Header(cards)).writeto(path)


def _rimas(path, **cards):
    base = {
        "INSTRUME": "RIMAS", "ASICINDX": 0, "OBJTYPE": "SCIENCE", "DATE-BEG": "2025-11-03T05:00:00.5", "EXPTIME": "15",
        "SATURATE": "52000", "GAIN0": 2.0, "FILTER1": "J", "FILTER2": "H", "FILTER3": "open", "OBJNAME": "a b",
    }  # fmt: skip
    _write(path, **{**base, **cards})


def test_names_as_the_instrument_writes_them_are_read_as_they_are(tmp_path):
    _rimas(tmp_path / "20251103.rimas.0002.C0.fits", **{"DATE-BEG": "2025-11-03T06:00:00"})
    _rimas(tmp_path / "20251103.rimas.0001.C1.fits", ASICINDX=1)
    _rimas(tmp_path / "20251103.rimas.0003.C0.fits", OBJTYPE="FOCUS")
    _rimas(tmp_path / "somebody.fits")
    table = scan(tmp_path, registry.get("rimas"))
    assert [(row.frame_id, row.camera, row.ftype, row.filter) for row in table] == [
        ("20251103.rimas.0001.C1", 1, "object", "H"),
        ("20251103.rimas.0002.C0", 0, "object", "J"),
    ]
    assert table.rows[0].target == "ab"
    assert any("FOCUS" in note for note in table.notes)
    assert any("somebody.fits" in note for note in table.notes)


def test_the_instrument_is_found_from_the_headers(tmp_path):
    _rimas(tmp_path / "20251103.rimas.0002.C0.fits")
    (tmp_path / "20251103.rimas.0003.C0.fits").write_bytes(b"junk")
    assert registry.detect(tmp_path).name == "rimas"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert registry.detect(empty) is None
    assert len(scan(empty, registry.get("lmi"))) == 0


def test_a_frame_of_another_instrument_is_flagged(tmp_path):
    _write(tmp_path / "20251103T050000C0o.fits", INSTRUME="ALFOSC")
    (row,) = scan(tmp_path, registry.get("lmi"))
    assert "not a frame of LMI" in row.problem


def test_split_cameras_give_two_rows_and_siblings(tmp_path):
    _write(tmp_path / "20130716T031010C3o.fits", (2048, 2048), INSTRUME="RATIR", SOFTGAIN=2, EXPTIME=5.0,
           STRRQAP="YHcenter", SDATE="2013-07-16T03:10:10")  # fmt: skip
    table = scan(tmp_path, registry.get("ratir"))
    assert [(row.frame_id[-2:], row.target_half) for row in table] == [("_H", True), ("_J", False)]
    assert table.siblings(table.rows[0]) == table.rows


def test_progress_and_stop(tmp_path):
    for n in range(3):
        _rimas(tmp_path / f"20251103.rimas.000{n}.C0.fits")
    from photopipe_gui.errors import Cancelled

    reporter = SilentReporter()
    reporter.cancel()
    with pytest.raises(Cancelled):
        scan(tmp_path, registry.get("rimas"), reporter)


def test_a_file_in_place_of_the_night(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(NightError, match="not a night directory"):
        scan(tmp_path / "x", registry.get("lmi"))
