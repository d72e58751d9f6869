"""The published recipes, as scripts without a ``__main__`` guard, on simulated nights."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from astropy.io import fits

#: A proxy that refuses at once: the recipes ask Gaia, and tests use no network.
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")

LMI = """
from photopipe_gui.reduction.preprocess.choose import choose_calib, choose_science
from photopipe_gui.reduction.preprocess.master import mkmaster
from photopipe_gui.reduction.auto.autoproc import autoproc

night = '~/night'
bias = choose_calib('lmi', 'bias', workdir=night, cams=[0], auto=True, save_select=True)
flat = choose_calib('lmi', 'flat', workdir=night, cams=[0], auto=True, reject_sat=False, amin=0.0, amax=1.0,
                    save_select=True)
science = choose_science('lmi', workdir=night, targetdir=night + '/selected', cams=[0], auto=True, calibrate=False,
                         save_select=True)
mkmaster('lmi', bias, 'bias')
mkmaster('lmi', flat, 'flat')
autoproc(datadir=night + '/selected', imdir=night + '/reduced', redo=1, nomastersky=True)
"""

RATIR = """
from photopipe_gui.reduction import preproc
from photopipe_gui.reduction.auto.autoproc import autoproc

night = '~/night/'
bias = preproc.choose_calib('ratir', 'bias', workdir=night, cams=[0, 1], auto=True, save_select=True)
dark = preproc.choose_calib('ratir', 'dark', workdir=night, cams=[0, 1], auto=True, save_select=True)
flat = preproc.choose_calib('ratir', 'flat', workdir=night, cams=[0, 1, 2, 3], auto=True, amin=0.2, amax=0.8,
                            save_select=True)
preproc.choose_science('ratir', workdir=night, targetdir=night + 'selected/', cams=[0, 1, 2, 3], auto=True,
                       calibrate=False, save_select=True)
preproc.mkmaster('ratir', bias, 'bias')
preproc.mkmaster('ratir', dark, 'dark')
preproc.mkmaster('ratir', flat, 'flat')
autoproc(datadir=night + 'selected/', imdir=night + 'reduced/', redo=1, nomastersky=True)
"""

RIMAS = """
from photopipe_gui.reduction.preprocess.choose import choose_calib, choose_science
from photopipe_gui.reduction.preprocess.master import mkmaster
from photopipe_gui.reduction.auto.autoproc import autoproc

night = '~/night'
bias = choose_calib('rimas', 'bias', workdir=night, cams=[0, 1], auto=True, save_select=True)
flat = choose_calib('rimas', 'flat', workdir=night, cams=[0, 1], auto=True, amin=0.1, amax=0.9, save_select=True)
choose_science('rimas', workdir=night, targetdir=night + '/selected', cams=[0, 1], auto=True, calibrate=False,
               save_select=True)
mkmaster('rimas', bias, 'bias')
mkmaster('rimas', flat, 'flat')
autoproc(datadir=night + '/selected', imdir=night + '/reduced', redo=1, nomastersky=True)
"""

#: An old script: its own imports, and selections read back from disk.
OLD = "import photopipe_gui.as_photopipe\n" + LMI.replace("from photopipe_gui.", "from photopipe.").replace(
    "mkmaster('lmi', flat, 'flat')",
    "import glob, os\nmkmaster('lmi', sorted(glob.glob(os.path.expanduser(night + '/flat_*.p')))[-1], 'flat')",
)

NIGHTS = {
    "lmi": {"size": 0.15, "filters": ("SDSS-R",), "n_science": 3},
    "ratir": {"filters": ("r", "Z"), "cameras": (0, 2), "n_science": 3, "apertures": ("riZJcenter",)},
    "rimas": {"size": 0.2, "filters": ("J",), "cameras": (0,), "n_science": 3, "n_flat": 6},
}
CASES = {
    "lmi": (LMI, "lmi", {"SDSS-R"}),
    "ratir": (RATIR, "ratir", {"r", "Z"}),
    "rimas": (RIMAS, "rimas", {"J"}),
    "old script": (OLD, "lmi", {"SDSS-R"}),
}


def checksums(night: Path) -> set[str]:
    """Checksums of the raw frames, whatever their names."""
    raw = [path for path in night.glob("*.fits") if not re.search(r"C\d[bdfo]_", path.name)]
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in raw}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", list(CASES))
def test_a_published_recipe_runs_as_it_stands(case, tmp_path) -> None:
    from photopipe_gui.simulate import simulate_night

    recipe, instrument, filters = CASES[case]
    night = tmp_path / "home" / "night"
    simulate_night(night, instrument, 7, truth_dir=tmp_path / "truth", **{"size": "small", **NIGHTS[instrument]})
    before = checksums(night)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    script = elsewhere / "recipe.py"
    script.write_text(recipe)
    env = {**os.environ, **NO_NETWORK, "HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=elsewhere, env=env, capture_output=True, text=True, timeout=580
    )
    assert done.returncode == 0, done.stdout + done.stderr

    beside = (".weight.fits", ".cat.fits")
    coadds = [path for path in (night / "coadd").glob("coadd*.fits") if not path.name.endswith(beside)]
    assert {fits.getheader(path)["FILTER"] for path in coadds} >= filters, done.stderr
    for path in coadds:
        assert path.with_name(path.stem + ".weight.fits").exists()
        header = fits.getheader(path)
        target, name = re.escape(header["TARGNAME"]), re.escape(header["FILTER"])
        assert re.fullmatch(rf"coadd{target}_\d{{8}}T\d+_{name}", path.stem)
        if header["FILTER"] in filters:
            assert header["NSTACK"] >= 2
    assert checksums(night) == before, "raw frames changed"
    assert {path.name for path in elsewhere.iterdir()} == {"recipe.py"}, "something was written where the script ran"
    for name in ("bias_C0.fits", f"flat_{sorted(filters)[0]}.fits"):
        if instrument != "rimas" or not name.startswith("bias"):
            assert (night / "calibration" / name).exists()
    assert list(night.glob("science_*.json")), "the choice of science frames was not saved"
