"""The table of all bands of a target."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from photopipe_gui.reduction.auto.bands import write_band_tables


def catalogue(folder, name, target, filter_name, ra, dec, mag):
    columns = [fits.Column("RA", "D", array=ra), fits.Column("DEC", "D", array=dec)]
    columns += [fits.Column(key, "E", array=mag) for key in
                ("MAG_APER", "MAGERR_APER", "MAG_KRON", "MAGERR_KRON", "FWHM")]
    columns.append(fits.Column("FLAGS", "J", array=np.zeros(len(ra), int)))
    hdu = fits.BinTableHDU.from_columns(columns, name="SOURCES")
    hdu.header["TARGNAME"], hdu.header["FILTER"], hdu.header["ABSZPSYS"] = target, filter_name, "AB"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(folder / f"{name}.cat.fits")
    return folder / f"{name}.fits"


def test_sources_of_all_bands_are_matched_by_position(tmp_path):
    rng = np.random.default_rng(1)
    ra, dec, mag = (359.98 + np.arange(30) * 0.001) % 360, np.linspace(-5, -4.95, 30), rng.uniform(15, 20, 30)
    shift = 0.2 / 3600
    coadds = [catalogue(tmp_path, "a", "T1", "r", ra, dec, mag),
              catalogue(tmp_path, "b", "T1", "i", (ra[5:] + shift) % 360, dec[5:], mag[5:] - 0.5),
              catalogue(tmp_path, "c", "T1", "i", ra[:3], dec[:3], mag[:3] - 0.5),
              catalogue(tmp_path, "d", "T2", "r", ra[:4], dec[:4], mag[:4]), tmp_path / "none.fits"]
    written = write_band_tables(coadds)
    assert [path.name for path in written] == ["bandsT1.fits", "bandsT2.fits"]
    table, header = fits.getdata(written[0], 1), fits.getheader(written[0])
    assert len(table) == 30 and header["BAND1"] == "i" and header["BAND2"] == "i_2"
    both = table["NBANDS"] == 2
    assert both.sum() == 28 and both[:28].all()
    colour = table["MAG_APER_r"] - np.where(np.isnan(table["MAG_APER_i"]), table["MAG_APER_i_2"], table["MAG_APER_i"])
    assert np.allclose(colour[both], 0.5, atol=1e-5)
    assert np.isnan(table["MAG_APER_i"][~both]).all() and (table["FLAGS_i"][~both] == -1).all()
    nearest = np.abs((table["RA"][:, None] - ra + 180) % 360 - 180).min(axis=1)
    assert nearest.max() < 0.2 / 3600
