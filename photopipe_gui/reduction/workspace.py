"""Folders and product names of a reduction, in one place."""

from __future__ import annotations

import contextlib
import glob
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import NightError
from ..instruments.header import safe_name
from ..instruments.rawheader import read_layout
from .digest import is_ours, recorded_digest

CALIBRATION, SELECTED, REDUCED, COADD = "calibration", "selected", "reduced", "coadd"
REPORT = "photopipe_report.json"
#: Folders below ``reduced`` for frames that leave the run at the zero point.
DROPPED_FOLDERS = ("badzptfit", "badflxsc")
_INTERMEDIATE = re.compile(r"^(p|fp|sfp|z?sfp|az?sfp|taz?sfp|sky-).*\.fits$")


def _group_of(coadd: Path) -> tuple[str, str]:
    cards = read_layout(coadd).cards
    return str(cards.get("TARGNAME", "")), str(cards.get("FILTER", ""))


@dataclass(frozen=True)
class Workspace:
    """The folders of one reduction.

    Attributes
    ----------
    data : Path
        Selected frames.
    images : Path
        Products of the steps.
    calibration : tuple of Path
        Where masters are looked for, in order.
    """

    data: Path
    images: Path
    calibration: tuple[Path, ...]

    @classmethod
    def of_night(cls, night: Path | str) -> Workspace:
        """Return the published layout of a night."""
        night = Path(night).expanduser().resolve()
        return cls.of_folders(night / SELECTED, night / REDUCED)

    @classmethod
    def of_folders(cls, data: Path | str, images: Path | str, calibration: Path | str | None = None) -> Workspace:
        """Return the layout of the published call, with its order of places for masters."""
        data, images = Path(data).expanduser().resolve(), Path(images).expanduser().resolve()
        places = [Path(calibration).expanduser().resolve()] if calibration else []
        places += [data.parent / CALIBRATION, Path.cwd(), data, images]
        return cls(data, images, tuple(dict.fromkeys(places)))

    @property
    def night(self) -> Path:
        """The night: the folder that holds the images' folder."""
        return self.images.parent

    @property
    def coadds(self) -> Path:
        """Folder of the coadds, beside that of the images."""
        return self.night / COADD

    @property
    def report(self) -> Path:
        """Report of the last run."""
        return self.night / REPORT

    def sky(self, filter_name: str, target: str) -> Path:
        """Return the sky frame of a filter and target; without a target, of the filter."""
        tail = f"_{safe_name(target)}" if target else ""
        return self.images / f"sky-{safe_name(filter_name)}{tail}.fits"

    def product(self, letter: str, source: Path) -> Path:
        """Return the product that a step makes from a file: the step's letter before the name."""
        return self.images / f"{letter}{source.name}"

    def dropped(self, product: Path) -> tuple[Path, ...]:
        """Return where a product may lie when its frame was dropped."""
        return tuple(self.images / folder / product.name for folder in DROPPED_FOLDERS)

    def selected(self) -> list[Path]:
        """Return the selected frames by name."""
        return sorted(path for path in self.data.glob("*.fits") if not path.name.startswith("."))

    def find_coadds(self) -> list[Path]:
        """Return the coadds by name, without their weight maps and catalogues."""
        found = self.coadds.glob("coadd*.fits") if self.coadds.is_dir() else []
        return sorted(path for path in found if not path.name.endswith((".weight.fits", ".cat.fits")))

    def remove_superseded(self, coadd: Path, digest: str) -> list[str]:
        """Remove our coadds of the same target and filter that have another digest; return their names.

        What lies beside them (weight map, catalogue) goes with them. Coadds of one run share their digest.
        """
        group = _group_of(coadd)
        removed = []
        for path in self.find_coadds():
            if is_ours(path) and recorded_digest(path) != digest and _group_of(path) == group:
                for companion in path.parent.glob(f"{glob.escape(path.name[:-5])}.*"):
                    companion.unlink()
                removed.append(path.name)
        return removed

    def make_folders(self) -> None:
        """Make the folders for products.

        Raises
        ------
        NightError
            When that is not possible.
        """
        for folder in (self.images, self.coadds):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise NightError(
                    f"The folder {folder} cannot be made ({error.strerror}). Check that you may write there."
                ) from error

    def intermediates(self) -> Iterator[Path]:
        """Yield the products of the steps that this program wrote; never anything else."""
        for path in sorted(self.images.glob("*.fits")):
            if _INTERMEDIATE.match(path.name) and is_ours(path):
                yield path

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a folder for temporary files on the night's disk; it goes at the end, left-overs of a kill too."""
        folder = self.images / ".scratch"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        # Half-written files of a killed run never got their names; nobody else will take them away.
        for place in (self.images, self.coadds, self.data, self.night, self.night / CALIBRATION):
            for part in place.glob(".*.part"):
                part.unlink(missing_ok=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
