"""Raw names: reading, giving, colliding, and taking back."""

import os

import numpy as np
import pytest
from astropy.io import fits

from photopipe_gui.errors import NightError
from photopipe_gui.instruments import registry
from photopipe_gui.instruments.naming import (
    JOURNAL,
    is_half_copy,
    parse_standard,
    read_journal,
    rename_night,
    restore_names,
)

LMI = registry.get("lmi")


def _write(path, value=0, **cards):
    header = fits.Header({"INSTRUME": "LMI", "OBSTYPE": "OBJECT", "DATE-OBS": "2021-05-05T00:50:40.25", **cards})
    fits.PrimaryHDU(np.full((4, 4), value, np.uint16), header).writeto(path)


def _bytes(folder):
    return sorted(path.read_bytes() for path in folder.glob("*.fits"))


def test_parse_standard():
    raw = parse_standard("20210505T005040C0b.fits")
    assert (raw.camera, raw.ftype, raw.time) == (0, "bias", "20210505T005040")
    assert parse_standard("20210505T005040250-2C3o.fits").camera == 3
    assert parse_standard("p20210505T005040C0b.fits") is None
    assert parse_standard("20210505T005040C2f_Z.fits") is None
    assert is_half_copy("20210505T005040C2f_Z.fits")


def test_colliding_frames_all_survive_and_go_back(tmp_path):
    for n in range(4):
        _write(tmp_path / f"lmi.{n:04d}.fits", n)
    _write(tmp_path / "lmi.0009.fits", 9, OBSTYPE="BIAS")
    before = _bytes(tmp_path)
    renames = rename_night(tmp_path, LMI)
    names = {rename.new for rename in renames}
    assert names == {
        "20210505T005040C0o.fits", "20210505T005040250C0o.fits", "20210505T005040250-2C0o.fits",
        "20210505T005040250-3C0o.fits", "20210505T005040C0b.fits",
    }  # fmt: skip
    assert all(parse_standard(name) for name in names)
    assert _bytes(tmp_path) == before
    assert rename_night(tmp_path, LMI) == []
    restore_names(tmp_path)
    assert {path.name for path in tmp_path.glob("*.fits")} == {f"lmi.{n:04d}.fits" for n in (0, 1, 2, 3, 9)}
    assert fits.getdata(tmp_path / "lmi.0002.fits")[0, 0] == 2
    assert not (tmp_path / JOURNAL).exists()


def test_an_existing_standard_name_is_never_replaced(tmp_path):
    _write(tmp_path / "20210505T005040C0o.fits", 1)
    _write(tmp_path / "lmi.0001.fits", 2)
    rename_night(tmp_path, LMI)
    assert fits.getdata(tmp_path / "20210505T005040C0o.fits")[0, 0] == 1
    assert fits.getdata(tmp_path / "20210505T005040250C0o.fits")[0, 0] == 2


@pytest.mark.parametrize(
    ("cards", "words"),
    [({"OBSTYPE": "FOCUS"}, "FOCUS"), ({"DATE-OBS": "soon"}, "not a date")],
)
def test_frames_that_cannot_be_named_are_left_alone(tmp_path, cards, words):
    _write(tmp_path / "lmi.0001.fits", **cards)
    (rename,) = rename_night(tmp_path, LMI)
    assert rename.new == ""
    assert words in rename.problem
    assert (tmp_path / "lmi.0001.fits").exists()


def test_a_kill_between_link_and_unlink_is_mended(tmp_path):
    _write(tmp_path / "lmi.0001.fits", 7)
    rename_night(tmp_path, LMI)
    os.link(tmp_path / "20210505T005040C0o.fits", tmp_path / "lmi.0001.fits")
    rename_night(tmp_path, LMI)
    assert [path.name for path in tmp_path.glob("*.fits")] == ["20210505T005040C0o.fits"]


def test_a_damaged_journal_line_costs_only_itself(tmp_path):
    _write(tmp_path / "lmi.0001.fits")
    rename_night(tmp_path, LMI)
    with (tmp_path / JOURNAL).open("a") as stream:
        stream.write('{"old": "x')
    assert read_journal(tmp_path) == [("lmi.0001.fits", "20210505T005040C0o.fits")]


def test_a_journal_cannot_reach_outside_the_night(tmp_path):
    night = tmp_path / "night"
    night.mkdir()
    (tmp_path / "precious.fits").write_bytes(b"x")
    (night / JOURNAL).write_text('{"old": "y.fits", "new": "../precious.fits"}\n')
    (answer,) = restore_names(night)
    assert "another folder" in answer.problem
    assert (tmp_path / "precious.fits").exists()


def test_missing_night_is_said_in_words(tmp_path):
    with pytest.raises(NightError, match="does not exist"):
        rename_night(tmp_path / "nowhere", LMI)
    (tmp_path / "file").write_text("")
    with pytest.raises(NightError, match="is a file"):
        rename_night(tmp_path / "file", LMI)
