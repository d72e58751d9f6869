"""What a group step is run with in tests: a serial context, frames on disk, a reference table."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from starfield import add_stars, make_wcs, observe

from photopipe_gui.reduction.auto.tasks import Failure, FrameTask, GroupTask
from photopipe_gui.reduction.catalogs.config import CatalogConfig
from photopipe_gui.reduction.fitsio import write_frame
from photopipe_gui.reduction.frame import Frame
from photopipe_gui.reduction.progress import SilentReporter


@dataclass
class SerialContext:
    """Runs everything here and now."""

    scratch: Path
    catalogs: CatalogConfig = field(default_factory=lambda: CatalogConfig(offline=True))
    reporter: SilentReporter = field(default_factory=SilentReporter)
    workers: int = 1
    memory_limit: int = 64 << 20

    def map(self, function, items, label=""):
        answers = []
        for item in items:
            try:
                answers.append(function(item))
            except Exception as error:
                answers.append(Failure(error))
        return answers


def save_frame(path, image, wcs, mask=None, **cards):
    """Write a frame as the astrometry step leaves it."""
    header = wcs.to_header()
    defaults = {
        "INSTRUME": "LMI", "FILTER": "SDSS-R", "TARGNAME": "Field1", "OBJECT": "Field 1", "GAIN": 2.0, "EXPTIME": 60.0,
        "DATE-OBS": "2021-05-05T03:52:44.220", "AIRMASS": 1.2, "SATURATE": 65000.0, "PIXSCALE": 0.4, "WAVELENG": "OPT",
        "ASTRNMAT": 40, "ASTRCAT": "test",
    }
    for key, value in {**defaults, **cards}.items():
        header[key] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.where(np.isfinite(image), 0, 8).astype(np.uint8) if mask is None else mask
    write_frame(path, Frame(image.astype(np.float32), mask, header))
    return path


def write_table(path, ra, dec, mag, err):
    """Write a reference catalogue with an r band."""
    rows = [f"{a:.7f},{b:.7f},{m:.4f},{e:.4f}" for a, b, m, e in zip(ra, dec, mag, err, strict=True)]
    path.write_text("ra,dec,r,r_err\n" + "\n".join(rows) + "\n")
    return path


def group_of(paths, folder, letter="t", key="Field1_SDSS-R", product=None):
    """Return the group task of some frames."""
    tasks = tuple(FrameTask(path.stem, path, folder / f"{letter}{path.name}") for path in paths)
    return GroupTask(key, "Field1", "SDSS-R", tasks, product, (("PPDIGEST", "abc", "inputs"),))


def star_field(rng, n=45, shape=(420, 440), faint=18.0, bright=14.5):
    """Return ra, dec and magnitude of a field of stars."""
    from starfield import spread_positions

    x, y = spread_positions(rng, n, shape, 28, 25)
    ra, dec = make_wcs(shape).all_pix2world(x, y, 0)
    return ra, dec, np.sort(rng.uniform(bright, faint, len(x)))


def expose(rng, sky, zero_point, shape=(420, 440), shift=(0.0, 0.0), rotation=0.0, fwhm=3.0, beta=3.5, level=400.0):
    """Return image and WCS of an exposure of a field with a known zero point."""
    ra, dec, mag = sky
    wcs = make_wcs(shape, *shift, rotation)
    x, y = wcs.all_world2pix(ra, dec, 0)
    signal = add_stars(np.zeros(shape), x, y, 10 ** (-0.4 * (mag - zero_point)), fwhm, beta, reach=25)
    return observe(signal, rng, sky=level), wcs
