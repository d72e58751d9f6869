"""A night of small frames of an LMI with known bias, dark current and flat, and short cuts for the tests of masters."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from astropy.io import fits

from photopipe_gui.instruments.registry import get
from photopipe_gui.reduction.preprocess.master import MasterParams, MasterResult, make_masters

SHAPE = (50, 70)
AREA = np.s_[2:48, 4:66]
GAIN, READ_NOISE, SATURATION = 2.5, 8.0, 65000

LMI = get("lmi")
#: LMI with a camera that takes darks too, on small frames (the area comes from TRIMSEC).
WITH_DARK = dataclasses.replace(LMI, cameras=(dataclasses.replace(LMI.cameras[0], takes_dark=True),))


class Night:
    """Raw frames of a small LMI with known bias, dark current and flat."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rng = np.random.default_rng(11)
        y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
        self.bias = 1000 + 4 * np.sin(x / 3.0)
        self.dark = np.full(SHAPE, 0.5)
        self.dark[10, 12] = 60.0
        self.flat = 1 - 0.2 * ((x - 35) / 70.0) ** 2 - 0.1 * (y - 25) / 50.0
        self.flat[20, 30] = 0.1
        self.flat /= np.median(self.flat[AREA])
        self.count = 0

    def frame(self, letter: str, level: float = 0.0, exptime: float = 0.0, **cards: object) -> str:
        """Write a frame and return its path."""
        electrons = self.rng.poisson(GAIN * (self.flat * level + self.dark * exptime))
        image = self.bias + (electrons + self.rng.normal(0, READ_NOISE, SHAPE)) / GAIN
        name = f"20210505T00{self.count // 60:02d}{self.count % 60:02d}C0{letter}.fits"
        self.count += 1
        return self.write(name, np.rint(image).clip(0, 65535).astype(np.uint16), exptime=exptime, **cards)

    def write(self, name: str, image: np.ndarray, exptime: float = 0.0, **cards: object) -> str:
        """Write an image with an LMI header."""
        header = fits.Header()
        standard = {"INSTRUME": "lmi", "CCDSUM": "4 4", "TRIMSEC": "[5:66,3:48]", "FILTER1": "OPEN", "FILTER2": "R"}
        header.update({**standard, "EXPTIME": exptime, "GAIN": GAIN, "DATE-OBS": "2021-05-05T00:00:00", **cards})
        path = self.folder / name
        fits.PrimaryHDU(image, header).writeto(path)
        return str(path)

    def biases(self, n: int = 9) -> list[str]:
        return [self.frame("b") for _ in range(n)]

    def darks(self, n: int = 9, exptime: float = 30.0) -> list[str]:
        return [self.frame("d", exptime=exptime) for _ in range(n)]

    def flats(self, n: int = 9, **cards: object) -> list[str]:
        return [self.frame("f", 9000.0 + 3000 * i, 2.0 + i, **cards) for i in range(n)]


def data_of(path: object, extension: str | None = None) -> np.ndarray:
    with fits.open(path, memmap=False) as hdus:
        hdus.verify("exception")
        return np.asarray(hdus[extension or 0].data)


def header_of(path: object) -> fits.Header:
    return fits.getheader(path)


def one(results: list[MasterResult]) -> MasterResult:
    assert len(results) == 1
    return results[0]


def raw(paths: list[str]) -> np.ndarray:
    return np.stack([data_of(path)[AREA].astype(np.float64) for path in paths])


def make_all(night: Night, **params: object) -> tuple[MasterResult, MasterResult, MasterResult]:
    chosen = MasterParams(**{"method": "median", **params})  # type: ignore[arg-type]
    return (
        one(make_masters(WITH_DARK, {"C0": night.biases()}, "bias", chosen)),
        one(make_masters(WITH_DARK, {"C0": night.darks()}, "dark", chosen)),
        one(make_masters(WITH_DARK, {"R": night.flats()}, "flat", chosen)),
    )
