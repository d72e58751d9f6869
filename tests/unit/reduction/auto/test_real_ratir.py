"""prepare to crclean on the real RATIR frames of camera C1."""

from pathlib import Path

import numpy as np
import pytest
from sky_scenes import SerialContext

from photopipe_gui.reduction.auto.steps import crclean, flatten, makesky, prepare, skysub
from photopipe_gui.reduction.auto.tasks import FrameTask, GroupTask
from photopipe_gui.reduction.core.background import cell_map, clipped_level
from photopipe_gui.reduction.fitsio import Area, read_frame, read_header, read_pixels, write_image
from photopipe_gui.reduction.frame import Mask

DATA = Path(__file__).resolve().parents[4].parent / "shared" / "data" / "ratir"
AREA = Area(75, 1000, 15, 1000)

pytestmark = [pytest.mark.data, pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data/ratir")]


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Masters by plain medians and selected copies of the five science frames."""
    folder = tmp_path_factory.mktemp("ratir")
    read = {letter: [read_pixels(p, AREA).astype(np.float32) for p in sorted(DATA.glob(f"2013*C1{letter}.fits"))]
            for letter in "bdf"}
    bias = np.median(read["b"], axis=0)
    write_image(folder / "bias_C1.fits", bias)
    dark = np.median([frame - bias for frame in read["d"]], axis=0) / 80
    write_image(folder / "dark_C1.fits", dark)
    levels = [np.median(frame) for frame in read["f"]]
    flats = [frame - bias for frame, level in zip(read["f"], levels, strict=True) if 0.2 * 16384 < level < 0.8 * 16384]
    flat = np.median([frame / np.median(frame) for frame in flats], axis=0)
    write_image(folder / "flat_i.fits", flat / np.median(flat))
    tasks = []
    for path in sorted(DATA.glob("2013*C1o.fits")):
        header = read_header(path)
        header["SATURATE"], header["GAIN"], header["WAVELENG"] = 16383.0, 18.64 / header["SOFTGAIN"], "OPT"
        header["TARGNAME"], header["FILTER"] = "P576-F", "i"
        write_image(folder / path.name, read_pixels(path, AREA), header)
        tasks.append(path)
    return folder, tasks


def test_ten_seconds_of_sky_come_out_flat_and_clean(night):
    folder, paths = night
    groups = []
    for path in paths:
        name = path.stem
        aids = {"bias": folder / "bias_C1.fits", "dark": folder / "dark_C1.fits"}
        one = prepare.run(FrameTask(name, folder / path.name, folder / f"p{name}.fits", aids), prepare.PrepareParams())
        two = flatten.run(FrameTask(name, one.product, folder / f"fp{name}.fits", {"flat": folder / "flat_i.fits"}),
                          flatten.FlattenParams())
        assert two.measurements["SKYCTS"] > 1
        groups.append(FrameTask(name, two.product, folder / f"sfp{name}.fits"))
    group = GroupTask("P576-F_i", "P576-F", "i", tuple(groups), folder / "sky-i_P576-F.fits")
    made = makesky.run_group(group, makesky.MakeskyParams(), SerialContext(folder))
    assert made.product is not None and made.measurements["NSKY"] == len(paths)
    assert made.measurements["SKYHOLES"] < 0.01
    for task in groups:
        done = skysub.run(FrameTask(task.frame, task.source, task.target, {"sky": made.product}), skysub.SkysubParams())
        last = FrameTask(task.frame, done.product, folder / f"zs{task.frame}.fits")
        clean = crclean.run(last, crclean.CrcleanParams())
        frame = read_frame(clean.product)
        level = clipped_level(frame.image, frame.mask)
        assert abs(level.median) < 0.1 * level.sigma
        rough = cell_map(frame.image, frame.mask, 64).level
        assert np.nanstd(rough) < 0.25 * level.sigma, "no gradient of more than a quarter of the noise"
        assert 1.5 < clean.measurements["CRFWHM"] < 12
        hits = (frame.mask & Mask.COSMIC) != 0
        assert 0 < hits.mean() < 0.003
        assert np.isfinite(frame.image[(frame.mask & Mask.NODATA) == 0]).all()
