"""makesky: one sky frame for each target and filter, from the frames themselves."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ....errors import FrameError
from ...core.background import CellMap, cell_map, clipped_level, expand_cells, sample, sky_model, sky_ratio
from ...core.combine import ArraySource, Input, combine
from ...core.detect import detect
from ...core.fringes import fine_structure, strength
from ...core.objects import block_means, extended_mask, object_mask
from ...core.skyframe import denoise, fill_holes
from ...core.skysplit import dither_offsets, split_sky
from ...fitsio import Area, read_frame, read_pixels, write_image
from ...frame import Frame
from ...params import option
from ..tasks import Context, Failure, GroupResult, GroupTask, StepResult, finish_header

_BAND_ALIGN = 8
_BAND_ROWS = 256
_CELL = 64
_BIN_ABOVE = 1_500_000


@dataclass(frozen=True)
class MakeskyParams:
    """Options of makesky."""

    sky_low: float = option(1.0, "Frames whose sky level is below this are left out of the sky frame", unit="DN")
    sky_high: float = option(55000.0, "Frames whose sky level is above this are left out of the sky frame", unit="DN")
    combination: str = option(
        "clip", "How the frames are combined: mean or median, both after clipping", choices=("clip", "median")
    )
    clip: float = option(3.0, "Clipping limit", unit="sigma", low=1.5, high=10.0)
    passes: int = option(2, "Rounds: from the second on objects are found on sky-subtracted frames", low=1, high=4)
    extended: bool = option(
        True, "Tell objects larger than the dithers from the sky by their moving with the stars (four frames or more)"
    )
    smooth: bool = option(True, "Take noise out of the sky frame where it holds no structure", advanced=True)


@dataclass(frozen=True)
class _Look:
    """What to find out about one frame."""

    source: Path
    mask: Path
    sky: Path | None
    objects: Path | None = None


@dataclass(frozen=True)
class _Seen:
    """A frame's sky: level and noise in DN, shape, where its hidden pixels are noted, what it tells of large objects.

    ``cells`` (in units of the level) and ``stars`` are for `split_sky`; ``objects`` is the file of what that found.
    """

    source: Path
    mask: Path
    level: float
    sigma: float
    shape: tuple[int, int]
    hidden: float
    cells: CellMap | None = None
    stars: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    objects: Path | None = None


@dataclass(frozen=True)
class _Band:
    """A band of rows to combine."""

    frames: tuple[_Seen, ...]
    rows: tuple[int, int]
    level: float
    params: MakeskyParams
    target: Path


@dataclass(frozen=True)
class _Sky:
    """Bands to join into a sky frame: to a plain file between passes, to the product at the end."""

    bands: tuple[Path, ...]
    params: MakeskyParams
    target: Path
    header: fits.Header | None


def usable_sky(frame: Frame) -> NDArray[np.bool_]:
    """Return the pixels that are neither flagged nor without a value."""
    good: NDArray[np.bool_] = np.isfinite(frame.image) & (frame.mask == 0)
    return good


def first_look(job: _Look) -> _Seen:
    """Find a frame's objects and its sky level when its sky is unknown; runs in a worker."""
    frame = read_frame(job.source)
    good = usable_sky(frame)
    model, _ = sky_model(frame.image, ~good, _CELL)
    flat = frame.image - model
    sharp = object_mask(flat, ~good, scales=())
    compact = object_mask(flat, ~good, scales=(4,))
    cells = cell_map(frame.image, compact | ~good, _CELL, thin=2)
    shape = (frame.image.shape[0], frame.image.shape[1])
    seen = _seen(job, frame, good, compact | extended_mask(cells, shape), compact)
    fine = cell_map(frame.image, sharp | ~good, _CELL // 2, thin=2)
    stars = _stars(flat, ~good)
    return replace(seen, cells=fine._replace(level=fine.level / seen.level), stars=stars)


def look_again(job: _Look) -> _Seen:
    """Find a frame's objects and its sky level by means of a first sky; runs in a worker."""
    frame = read_frame(job.source)
    good = usable_sky(frame)
    sky = np.load(cast(Path, job.sky), allow_pickle=False)
    if job.objects is not None:
        frame.image -= _object_rows(job.objects, (0, frame.image.shape[0]), frame.image.shape[1])
    share = np.float32(sky_ratio(frame.image, sky, ~good))
    hidden = object_mask(frame.image - share * sky, ~good)
    share = np.float32(sky_ratio(frame.image, sky, hidden | ~good)) or share
    frame.image -= share * sky
    seen = _seen(job, frame, good, hidden, hidden)
    return replace(seen, level=seen.level + float(share) * float(np.median(sample(sky))), objects=job.objects)


def _seen(
    job: _Look, frame: Frame, good: NDArray[np.bool_], hidden: NDArray[np.bool_], compact: NDArray[np.bool_]
) -> _Seen:
    """Measure the level and note the hidden pixels, all of them and the compact objects alone."""
    level = clipped_level(frame.image, hidden | ~good)
    if not level.n:
        # Objects everywhere: the frame as a whole has to do.
        hidden = compact = np.zeros_like(good)
        level = clipped_level(frame.image, ~good)
    if not level.n:
        raise FrameError(job.source, "no pixel shows the sky", "Look at the frame.")
    planes = np.stack([hidden | ~good, compact | ~good])
    np.save(job.mask, np.packbits(planes, axis=2), allow_pickle=False)
    shape = (frame.image.shape[0], frame.image.shape[1])
    return _Seen(job.source, job.mask, level.median, level.sigma, shape, float(planes[0].mean()))


def _stars(flat: NDArray[np.float32], bad: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the places of the stars, to a pixel: for the dithers."""
    size = 2 if flat.size > _BIN_ABOVE else 1
    image = block_means(flat, ~bad, size)[0] if size > 1 else np.where(bad, np.float32(np.nan), flat)
    found = detect(image, threshold=8.0, max_sources=100)
    return found.x * size, found.y * size


def find_extended(frames: tuple[_Seen, ...]) -> tuple[_Seen, ...]:
    """Look for an object too large for a mask, and note with each frame what it adds; runs in a worker."""
    if any(seen.cells is None or seen.stars is None for seen in frames):
        return frames
    offsets = dither_offsets([seen.stars for seen in frames if seen.stars is not None])
    split = split_sky([seen.cells for seen in frames if seen.cells is not None], offsets)
    out = []
    for number, seen in enumerate(frames):
        path = None
        if split is not None and seen.cells is not None and np.isfinite(split.objects[number]).all():
            path = seen.mask.with_suffix(".object.npz")
            level = split.objects[number] * seen.level
            np.savez(path, level=level, rows=seen.cells.rows, columns=seen.cells.columns)
        out.append(replace(seen, objects=path, cells=None, stars=None))
    return tuple(out)


def _object_rows(path: Path, rows: tuple[int, int], width: int) -> NDArray[np.float32]:
    """Return what a large object adds to rows of a frame, DN."""
    with np.load(path, allow_pickle=False) as data:
        return expand_cells(data["level"], data["rows"] - rows[0], data["columns"], (rows[1] - rows[0], width))


def combine_band(job: _Band) -> Path:
    """Combine a band of rows of all frames; runs in a worker. Planes of the file: sky, its error, count."""
    y0, y1 = job.rows
    inputs = []
    for seen in job.frames:
        area = Area(y0, y1, 0, seen.shape[1])
        rows = np.asarray(read_pixels(seen.source, area), dtype=np.float32)
        packed = np.load(seen.mask, mmap_mode="r", allow_pickle=False)
        plane = packed[0 if seen.objects is None else 1, y0:y1]
        if seen.objects is not None:
            rows -= _object_rows(seen.objects, job.rows, seen.shape[1])
        rows[np.unpackbits(plane, axis=1, count=seen.shape[1]).view(np.bool_)] = np.nan
        scale = seen.level / job.level
        inputs.append(Input(ArraySource(rows), scale=scale, noise=max(seen.sigma / scale, 1e-6)))
    method = cast(Literal["median", "clip"], job.params.combination)
    made = combine(inputs, method=method, low=job.params.clip, high=job.params.clip, workers=1)
    planes = np.stack([made.image, made.uncertainty, made.count.astype(np.float32)])
    np.save(job.target, planes, allow_pickle=False)
    return job.target


def finish(job: _Sky) -> dict[str, float]:
    """Join the bands, fill the holes, take out noise, write; runs in a worker."""
    planes = np.concatenate([np.load(path, allow_pickle=False) for path in job.bands], axis=1)
    sky, error, count = planes
    hole = ~np.isfinite(sky)
    empty = float(hole.mean())
    if hole.all():
        raise ValueError("no pixel of the sky is seen by any frame")
    sky = fill_holes(sky, hole)
    if job.params.smooth:
        sky = denoise(sky, error)
    measured = {"SKYHOLES": round(empty, 6), "SKYLEVEL": round(float(np.median(sample(sky))), 3)}
    if job.header is None:
        np.save(job.target, sky, allow_pickle=False)
        return measured
    header = job.header.copy()
    measured["SKYFINE"] = round(strength(fine_structure(sky)), 4)
    header["SKYFINE"] = (measured["SKYFINE"], "scatter of its fringes in blocks of 4 px, DN")
    header["SKYHOLES"] = (measured["SKYHOLES"], "share of pixels where no frame saw the sky")
    header["SKYLEVEL"] = (measured["SKYLEVEL"], "median, DN")
    write_image(job.target, sky.astype(np.float32), header, {"COUNT": count.astype(np.uint16)})
    return measured


def _bands(frames: list[_Seen], level: float, params: MakeskyParams, context: Context, tag: str) -> list[_Band]:
    """Divide the rows into bands so that those in work together stay within the memory limit.

    Their height does not depend on the number of workers (up to eight): the same frames give the same sky anywhere.
    """
    ny, nx = frames[0].shape
    # A band is held as read and once more by the combination.
    fitting = int(context.memory_limit / max(context.workers, 8) / (len(frames) * nx * 4 * 3))
    height = max(_BAND_ALIGN, min(fitting, _BAND_ROWS) // _BAND_ALIGN * _BAND_ALIGN)
    return [
        _Band(tuple(frames), (y, min(y + height, ny)), level, params, context.scratch / f"{tag}_{y}.npy")
        for y in range(0, ny, height)
    ]


def _sort_out(
    group: GroupTask, seen: list[Any], params: MakeskyParams
) -> tuple[list[_Seen], dict[str, StepResult | FrameError]]:
    """Tell the frames that make the sky from those left out, with a reason for each."""
    answers: dict[str, StepResult | FrameError] = {}
    chosen: list[_Seen] = []
    shapes = [one.shape for one in seen if isinstance(one, _Seen)]
    usual = max(set(shapes), key=shapes.count) if shapes else (0, 0)
    for task, one in zip(group.frames, seen, strict=True):
        if isinstance(one, Failure):
            error = one.error
            answers[task.frame] = error if isinstance(error, FrameError) else FrameError(task.source, str(error))
            continue
        measured = {"SKYCTS": round(one.level, 3), "SKYMASKD": round(one.hidden, 4)}
        reason = ""
        if one.shape != usual:
            reason = f"it is {one.shape[1]} x {one.shape[0]} px, the others {usual[1]} x {usual[0]}"
        elif not params.sky_low <= one.level <= params.sky_high:
            reason = f"its sky level {one.level:.1f} DN is outside {params.sky_low:g} to {params.sky_high:g}"
        else:
            chosen.append(one)
        text = f"left out of the sky frame: {reason}" if reason else ""
        answers[task.frame] = StepResult(measured, task.source, reason=text)
    return chosen, answers


def _header(group: GroupTask, frames: list[_Seen], params: MakeskyParams) -> fits.Header:
    header = fits.Header()
    header["FILTER"] = (group.filter[:68], "filter")
    header["TARGNAME"] = (group.target_name[:68], "target")
    header["NSKY"] = (len(frames), "frames combined")
    for number, seen in enumerate(frames):
        header[f"IMCMB{number:03d}"] = seen.source.name[:60]
    what = f"{params.combination} of {len(frames)} frames, {params.passes} passes"
    return finish_header(header, group.cards, "makesky", what)


def run_group(group: GroupTask, params: MakeskyParams, context: Context) -> GroupResult:
    """Make the sky frame of a group; the frames themselves go on unchanged.

    A group with fewer than two usable frames gets no sky frame, and says so.
    """
    if len(group.frames) < 2:
        answers: dict[str, StepResult | FrameError] = {
            task.frame: StepResult(product=task.source, reason="alone in its target and filter: no sky frame")
            for task in group.frames
        }
        return GroupResult(answers, reason="one frame only: no sky frame, its own median is subtracted instead")
    tag = f"sky{zlib.crc32(group.key.encode()):08x}"
    masks = [context.scratch / f"{tag}_mask{n}.npy" for n in range(len(group.frames))]
    jobs = [_Look(task.source, mask, None) for task, mask in zip(group.frames, masks, strict=True)]
    seen = context.map(first_look, jobs, f"objects in {group.key}")
    chosen, answers = _sort_out(group, seen, params)
    if len(chosen) < 2 or group.product is None:
        return GroupResult(answers, reason=f"{len(chosen)} of {len(group.frames)} frames usable: no sky frame")
    if params.extended:
        found = context.map(find_extended, [tuple(chosen)], f"large objects in {group.key}")[0]
        chosen = chosen if isinstance(found, Failure) else [*found]
    measured: dict[str, float] = {}
    between = context.scratch / f"{tag}_between.npy"
    for number in range(params.passes):
        last = number == params.passes - 1
        if number:
            again = [_Look(one.source, one.mask, between, one.objects) for one in chosen]
            better = context.map(look_again, again, f"objects in {group.key}, again")
            chosen = [new if isinstance(new, _Seen) else old for new, old in zip(better, chosen, strict=True)]
        header = _header(group, chosen, params) if last else None
        failure = _make(group, chosen, params, context, tag, group.product if last else between, header)
        if isinstance(failure, Failure):
            return GroupResult(answers, reason=f"no sky frame: {failure.error}")
        measured = failure
    few = "two frames only: each is half of its own sky frame" if len(chosen) == 2 else ""
    return GroupResult(answers, group.product, {"NSKY": len(chosen), **measured}, few)


def _make(
    group: GroupTask, frames: list[_Seen], params: MakeskyParams, context: Context, tag: str, target: Path,
    header: fits.Header | None,
) -> dict[str, float] | Failure:
    """Combine the frames and write the sky; the failure of a part is that of the whole."""
    level = float(np.median([one.level for one in frames]))
    bands = _bands(frames, level, params, context, tag)
    parts = context.map(combine_band, bands, f"sky of {group.key}")
    failed = next((part for part in parts if isinstance(part, Failure)), None)
    if failed is not None:
        return failed
    done = context.map(finish, [_Sky(tuple(parts), params, target, header)], f"sky of {group.key}")[0]
    for part in parts:
        part.unlink(missing_ok=True)
    return cast("dict[str, float] | Failure", done)

