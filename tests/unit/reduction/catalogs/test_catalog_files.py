"""Catalogue files in all their forms give the same stars."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from photopipe_gui.errors import UsageError
from photopipe_gui.reduction.catalogs.columns import magnitude_column
from photopipe_gui.reduction.catalogs.custom import read_custom
from photopipe_gui.reduction.catalogs.local import read_catalog, with_requested_band

RA = np.array([150.0, 150.1, 150.2, 150.3])
DEC = np.array([-2.0, -2.1, -2.2, -2.3])
G = np.array([15.0, 16.0, 99.0, 18.0])
R = np.array([14.5, 15.5, 16.5, 17.5])


def _table(names=("ra", "dec", "g", "g_err", "r", "r_err")):
    return Table([RA, DEC, G, np.full(4, 0.02), R, np.full(4, 0.01)], names=names)


def _check(catalog):
    assert np.allclose(catalog.ra, RA) and np.allclose(catalog.dec, DEC)
    assert np.allclose(catalog.magnitudes["r"][0], R) and np.allclose(catalog.magnitudes["r"][1], 0.01)
    assert np.isnan(catalog.magnitudes["g"][0][2]), "99 means none"
    assert catalog.magnitudes["g"][0][1] == 16.0
    assert catalog.systems == {"g": "AB", "r": "AB"}


FORMS = ["fits", "ascii.ecsv", "csv", "votable", "ascii.basic", "ascii.tab", "ascii.fixed_width"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "names",
    [("ra", "dec", "g", "g_err", "r", "r_err"), ("RAJ2000", "DEJ2000", "gmag", "e_gmag", "rmag", "e_rmag"),
     ("raMean", "decMean", "gMeanPSFMag", "gMeanPSFMagErr", "rMeanPSFMag", "rMeanPSFMagErr"),
     ("RA", "DEC", "G", "GERR", "R", "RERR"), ("RA_ICRS", "DE_ICRS", "g_mag", "g_mag_err", "mag_r", "mag_err_r")],
)
def test_every_form_and_naming(tmp_path, form, names):
    path = tmp_path / "stars.tab"
    _table(names).write(path, format=form)
    _check(read_catalog(path))


def test_ldac(tmp_path):
    path = tmp_path / "stars.ldac"
    head = fits.BinTableHDU(Table([["x" * 80]], names=["Field Header Card"]), name="LDAC_IMHEAD")
    body = Table([RA, DEC, R, np.full(4, 0.01)], names=["X_WORLD", "Y_WORLD", "MAG", "MAGERR"])
    fits.HDUList([fits.PrimaryHDU(), head, fits.BinTableHDU(body, name="LDAC_OBJECTS")]).writeto(path)
    catalog = read_catalog(path)
    assert np.allclose(catalog.ra, RA) and np.allclose(catalog.magnitudes[""][0], R)
    taken, why = with_requested_band(catalog, "r")
    assert np.allclose(taken.magnitudes["r"][1], 0.01) and "no band" in why


def test_text_without_header_counts_for_the_asked_filter(tmp_path):
    path = tmp_path / "field.cat"
    path.write_text("150.0 -2.0 14.5 0.01\n150.1 -2.1 15.5 0.01\n")
    taken, _ = with_requested_band(read_catalog(path), "i")
    assert taken.magnitudes["i"][0].tolist() == [14.5, 15.5]


def test_a_file_named_for_another_band_is_asked_about(tmp_path):
    path = tmp_path / "PS1_r.cat"
    path.write_text("150.0 -2.0 14.5 0.01\n")
    taken, why = with_requested_band(read_catalog(path), "i")
    assert taken is None and "is it i?" in why
    assert with_requested_band(read_catalog(path), "r")[0] is not None


def test_header_in_a_comment_and_sexagesimal(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("# made by hand\n# RA DEC Vmag e_Vmag\n10:00:00.0 -02:30:00 12.5 0.02\n")
    catalog = read_catalog(path)
    assert catalog.ra[0] == pytest.approx(150.0) and catalog.dec[0] == pytest.approx(-2.5)
    assert catalog.magnitudes["V"][0][0] == 12.5 and catalog.systems["V"] == "Vega"


@pytest.mark.parametrize(
    ("name", "meaning"),
    [("gmag", ("g", False)), ("Gmag", ("G", False)), ("e_gmag", ("g", True)), ("gMeanPSFMagErr", ("g", True)),
     ("g'mag", ("g", False)), ("e_r'mag", ("r", True)), ("psfMag_r", ("r", False)), ("psfMagErr_r", ("r", True)),
     ("J", ("J", False)), ("j_m", ("j", False)), ("j_msigcom", ("j", True)), ("Ksmag", ("K", False)),
     ("MAG_AUTO", ("", False)), ("MAGERR_AUTO", ("", True)), ("mag", ("", False)), ("err", ("", True)),
     ("phot_g_mean_mag", ("G", False)), ("objID", None), ("mode", None), ("FLUX_R", None), ("id", None),
     ("g_err", ("g", True)), ("gerr", ("g", True)), ("Johnson_V", ("V", False)), ("SDSS_r", ("r", False))],
)
def test_column_names(name, meaning):
    assert magnitude_column(name) == meaning


def test_case_tells_johnson_from_sloan_where_it_can(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("ra dec b v r i\n150 -2 15 14 13 12\n")
    assert set(read_catalog(path).magnitudes) == {"B", "V", "R", "I"}
    path.write_text("ra dec g r i R I\n150 -2 15 14 13 12 11\n")
    assert read_catalog(path).magnitudes["R"][0][0] == 12 and read_catalog(path).magnitudes["r"][0][0] == 14
    path.write_text("id x y ra dec r\n1 100 200 150 -2 15\n")
    assert set(read_catalog(path).magnitudes) == {"r"}, "y beside x is a pixel"


def test_gaia_motion_and_epoch(tmp_path):
    path = tmp_path / "gaia.csv"
    path.write_text("source_id,ra,dec,pmra,pmdec,ref_epoch,phot_g_mean_mag\n1,150,-2,100,-50,2016.0,14\n2,151,-2,,,2016.0,15\n")
    catalog = read_catalog(path)
    assert catalog.epoch == 2016.0 and set(catalog.magnitudes) == {"G"} and catalog.systems["G"] == "Vega"
    _, dec = catalog.at_epoch(2026.0)
    assert (dec[0] + 2) * 3600 == pytest.approx(-0.5) and dec[1] == -2


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "empty"), (b"1 2 3 4 5 6 7\n", "7 columns"), (b"alpha beta gamma\n1 2 3\n", "right ascension"),
     (b"ra dec mag\n", "no rows"), (b"ra dec mag\nx y z\n", "usable position"), (b"\x00\x01\x02\x03", "bad.cat")],
)
def test_unusable_files_say_what_is_wrong(tmp_path, content, says):
    path = tmp_path / "bad.cat"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        read_catalog(path)


def test_an_image_is_not_a_catalogue(tmp_path):
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(path)
    with pytest.raises(UsageError, match="no table"):
        read_catalog(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_catalog(tmp_path / "missing.cat")


BANDS = [*"ugrizyBVRIJHK"]


def _custom(names, with_z_err):
    errors = [f"{b}_err" for b in BANDS if with_z_err or b != "z"]
    mags = [str(10 + n) for n in range(13)]
    errs = [f"0.{BANDS.index(e[0]) + 1:02d}" for e in errors]
    return f"{names}\n150.0 -2.0 {' '.join(mags)} {' '.join(errs)} 0\n", errors


@pytest.mark.parametrize("header_has", [True, False])
@pytest.mark.parametrize("rows_have", [True, False])
def test_custom_table_with_and_without_z_err(tmp_path, header_has, rows_have):
    if header_has and not rows_have:
        pytest.skip("a named column without values is no table")
    header = " ".join(["ra dec", *BANDS, *(f"{b}_err" for b in BANDS if header_has or b != "z"), "mode"])
    text, _ = _custom(header, rows_have)
    path = tmp_path / "custom.txt"
    path.write_text(text)
    catalog = read_custom(path)
    for n, band in enumerate(BANDS):
        assert catalog.magnitudes[band][0][0] == 10 + n
        if band != "z" or rows_have:
            assert catalog.magnitudes[band][1][0] == pytest.approx((n + 1) / 100)
    assert catalog.systems["J"] == "Vega" and catalog.systems["B"] == "AB"


def test_custom_table_without_names_goes_by_position(tmp_path):
    path = tmp_path / "custom.txt"
    path.write_text(_custom("", True)[0].lstrip("\n"))
    assert read_custom(path).magnitudes["y"][1][0] == pytest.approx(0.06)
    path.write_text("150 -2 14\n")
    with pytest.raises(UsageError, match="3 columns"):
        read_custom(path)
