"""From a volume to its super-resolved volume."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

import monai_sr
from monai_sr.bundle import DEFAULT_SCALE, find_bundle
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.geometry import scale_affine
from monai_sr.intensity import IntensityRange
from monai_sr.runtimes import Runtime, choose_device, make_runtime
from monai_sr.runtimes.memory import COPIES_OUT, GIBIBYTE, RESERVED, bytes_held, bytes_per_pixel, largest_tile
from monai_sr.runtimes.tiles import pieces, receptive_radius
from monai_sr.runtimes.torch_runtime import TorchRuntime
from monai_sr.survey import survey
from monai_sr.trust import DomainGuard, FrameCheck, FrameIntervals, IntervalEstimator
from monai_sr.volume import LazyFrames, Provenance, Volume, fill_nearest, without_image
from monai_sr.weights import read_weights

_logger = logging.getLogger(__name__)

MEMORY = 4 * GIBIBYTE
"""Bytes that the process may take by default: whatever the machine has, since tiles of another size add in
another order, which may change a stored value in a million."""

BATCH_PIXELS = 256**2
"""Frames smaller than this are computed together, so that the calls' own cost stays out of sight."""

AHEAD = 2
"""Frames that a pipeline may make before they are asked for."""

CHECKING_BYTES = 40
"""What comparing a frame with its source takes for each finer pixel, in spectra above all."""

CONSISTENCY = ("report", "enforce", "off")

Progress = Callable[[int, int], None]
Place = tuple[slice, ...]


class Upscaler:
    """Super-resolve every frame of a volume in plane.

    Args:
        network: maps (N, 1, H, W), intensities about [0, 1], to (N, 1, H·s, W·s); has `scale_factor`.
        device: where to compute.
        provenance: what the network is, for the record in the output; a nameless one by default.
        runtime: computes the network; PyTorch in float32 by default.
        memory: bytes that the process may take; larger frames are computed in overlapping tiles.
        kernel: short name of the degradation by which finer frames are compared with their source, see
            `monai_sr.degradation`; none by default.
        enforce: make finer frames agree with their source by that degradation, see `DataConsistency`.
        guard: says what lies outside the domain of the training images; nothing by default.
        uncertainty: gives the intervals about their pixels; none by default.

    Example:
        >>> from monai_sr import EDSR
        >>> upscaler = Upscaler(EDSR(scale_factor=2, num_blocks=1, global_skip=True))
        >>> upscaler.predict(np.random.default_rng(0).random((3, 8, 10))).shape
        (3, 16, 20)
    """

    def __init__(
        self,
        network: nn.Module,
        device: str | torch.device = "cpu",
        provenance: Provenance | None = None,
        runtime: Runtime | None = None,
        memory: int = MEMORY,
        kernel: str | None = None,
        enforce: bool = False,
        guard: DomainGuard | None = None,
        uncertainty: IntervalEstimator | None = None,
    ) -> None:
        scale_factor = getattr(network, "scale_factor", None)
        if not isinstance(scale_factor, int):
            raise ValueError(f"network must have an integer scale_factor, got {scale_factor!r}.")
        self.scale_factor = scale_factor
        self.network = network.eval()
        self.memory = memory
        self.kernel, self.enforce, self.uncertainty = kernel, enforce, uncertainty
        self.guard = guard or DomainGuard(None, scale_factor)
        self._radius, self._bytes_per_pixel = receptive_radius(network), bytes_per_pixel(network)
        self.runtime = runtime or TorchRuntime(network, torch.device(device), "float32")
        self.provenance = provenance or Provenance(
            scale_factor=scale_factor,
            bundle=type(network).__name__,
            bundle_version="none",
            weights_sha256="none",
            software_version=monai_sr.__version__,
        )

    @classmethod
    def from_bundle(
        cls,
        bundle: str | Path,
        scale_factor: int | None = None,
        weights: str | Path | None = None,
        device: str = "auto",
        alpha: float | None = None,
        runtime: str = "auto",
        precision: str = "auto",
        force_precision: bool = False,
        memory: int = MEMORY,
        consistency: str = "report",
        strict: bool = False,
        uncertainty: bool = False,
    ) -> Upscaler:
        """An upscaler with a bundle's network.

        Args:
            bundle: name or folder of a bundle.
            scale_factor: enlargement; 2 by default.
            weights: file to use instead of the bundle's own.
            device: `auto`, `cpu` or `cuda`.
            alpha: for a bundle trained adversarially, from 0, faithful, to 1, crisp: the share of the
                adversarial weights in a mixture with those of the pixel-loss stage.
            runtime: as of `make_runtime`.
            precision: as of `make_runtime`; what the bundle's card says was measured is taken by `auto`.
            force_precision: take a precision that was not measured.
            memory: as of the constructor.
            consistency: `report` compares finer frames with their source by the degradation of the bundle's
                card, `enforce` makes them agree where it fits, `off` does neither.
            strict: refuse what is not like the training images, as the card's `domain` describes them.
            uncertainty: give intervals about the pixels, too, where the bundle's were calibrated.

        Returns:
            The upscaler.

        Raises:
            InputError: if the bundle, its weights, the device or the runtime are not there, or `alpha`,
                the precision or `consistency` cannot be used, or no intervals were calibrated.
        """
        found = find_bundle(bundle)
        scale = DEFAULT_SCALE if scale_factor is None else scale_factor
        if scale < DEFAULT_SCALE:
            raise InputError(f"The scale factor must be 2 or more, got {scale}.")
        if weights is not None and alpha is not None:
            raise InputError("weights and alpha exclude each other: blend your own by `monai-sr blend`.")
        if consistency not in CONSISTENCY:
            raise InputError(f"There is no consistency {consistency}: use {', '.join(CONSISTENCY)}.")
        enforce = consistency == "enforce"
        if enforce and found.kernel is None:
            raise InputError(f"Bundle {found.name} states no degradation to enforce: leave consistency out.")
        if uncertainty and (weights is not None or alpha is not None or enforce):
            raise InputError(
                "Intervals were calibrated for a bundle's own weights, with nothing enforced: leave out "
                "--uncertainty, or else --weights, --alpha and --consistency enforce."
            )
        loaded = found.weights(scale, alpha) if weights is None else read_weights(weights)
        estimator = IntervalEstimator.from_card(*found.interval_head(scale)) if uncertainty else None
        network = found.network(scale)
        loaded.load_into(network)
        place = choose_device(device)
        # Neither weights from elsewhere nor mixtures were measured.
        measured = found.measured_precisions(scale) if weights is None and alpha is None else []
        made = make_runtime(network, place, runtime, precision, measured, force_precision)
        asked = f", agreement by {found.kernel} asked for" * enforce + ", with intervals" * uncertainty
        provenance = Provenance(
            scale_factor=scale,
            bundle=found.name,
            bundle_version=found.version,
            weights_sha256=loaded.sha256,
            software_version=monai_sr.__version__,
            description=loaded.description,
            computation=f"{made.name} {made.precision}{asked}",
        )
        kernel = None if consistency == "off" else found.kernel
        guard = DomainGuard.of_bundle(found.card, scale, kernel, enforce, strict)
        return cls(network, place, provenance, made, memory, kernel, enforce, guard, estimator)

    def __call__(self, volume: Volume, progress: Progress | None = None) -> Volume:
        """Super-resolve a volume.

        Args:
            volume: frames in stored values.
            progress: called with (frames done, frames in all) after each frame.

        Returns:
            The same field of view, sampled `scale_factor` times finer in plane: stored values of the same
            type, rounded and kept within the encoding's range; none is negative where none was. Pixels
            that hold no image, since they are padding or not finite, keep their stored value.

        Raises:
            InputError: if no pixel is finite.
            MonaiSRError: if the network gives values that are not finite.
        """
        return self.stream(volume, progress).load()

    def stream(self, volume: Volume, progress: Progress | None = None) -> Volume:
        """As calling the upscaler, but each finer frame is computed when it is asked for, and not kept.

        Args:
            volume: frames in stored values; all are read once for their intensities.
            progress: as for a call.

        Returns:
            The finer volume, whose `array` is `LazyFrames`, and whose `consistency` and `intervals` grow with
            each frame.

        Raises:
            InputError: if no pixel is finite, there is not enough memory, or what lies outside is refused.
            MonaiSRError: from a frame, if the network gives values that are not finite.
        """
        count, rows, columns = volume.array.shape
        intensity_range, floor = survey(volume)
        findings = self.guard(volume, intensity_range)
        copies = COPIES_OUT + min(count - 1, AHEAD + 1)
        itemsize, scale = volume.array.dtype.itemsize, self.scale_factor
        held = rows * columns * bytes_held(itemsize, scale, copies, self.uncertainty is not None)
        fitting = (self.memory - RESERVED) // (held + rows * columns * self._bytes_per_pixel)
        batch = max(1, min(count, BATCH_PIXELS // (rows * columns), fitting))
        tile = self._tile((count, rows, columns), batch, batch * held)
        check = self._check(volume, intensity_range, floor, batch * held, self.enforce and findings.fits)
        unlike = bool(findings.told)
        intervals = (
            FrameIntervals(self.uncertainty, volume, intensity_range, unlike) if self.uncertainty else None
        )

        @lru_cache(1)
        def finer_batch(first: int) -> np.ndarray:
            # The last batch ends with the last frame, as large as the others: runtimes compile for a shape.
            first = min(first, count - batch)
            frames = range(first, first + batch)
            return self._upscale(volume, frames, intensity_range, floor, tile, check, intervals)

        def finer(index: int) -> np.ndarray:
            first = index - index % batch
            frame: np.ndarray = finer_batch(first)[index - min(first, count - batch)]
            if progress is not None:
                progress(index + 1, count)
            return frame

        return replace(
            volume,
            array=LazyFrames(self._finer_shape(volume.array.shape), volume.array.dtype, finer),
            affine=scale_affine(volume.affine, self.scale_factor),
            consistency=check.found if check else {},
            findings=findings.told,
            compared=findings.compared,
            intervals=intervals.found if intervals else None,
        )

    def _check(
        self, volume: Volume, intensity_range: IntensityRange, floor: float, held: int, enforce: bool
    ) -> FrameCheck | None:
        """What compares the finer frames with their source, where that is wanted and fits into the memory."""
        if self.kernel is None:
            return None
        pixels = np.prod(volume.array.shape[1:], dtype=np.int64) * self.scale_factor**2
        if held + CHECKING_BYTES * pixels > self.memory - RESERVED:
            text = f"{volume.path} is too large for --memory to compare its finer frames with it"
            if enforce:
                raise InputError(f"{text}: give more, or leave out --consistency.")
            _logger.warning("%s, which was left out", text)
            return None
        return FrameCheck.of_volume(volume, intensity_range, floor, self.kernel, self.scale_factor, enforce)

    def _tile(self, shape: tuple[int, ...], batch: int, held: int) -> int:
        """Side of the tiles in which so many frames fit into the memory, beside what is held."""
        return largest_tile(self.memory, held, batch * self._bytes_per_pixel, self._radius, *shape[1:])

    def _upscale(
        self,
        volume: Volume,
        frames: range,
        intensity_range: IntensityRange,
        floor: float,
        tile: int,
        check: FrameCheck | None = None,
        intervals: FrameIntervals | None = None,
    ) -> np.ndarray:
        """Finer stored values of some frames, shape (n, H·s, W·s), none below `floor`."""
        stored = np.stack([volume.array[index] for index in frames])
        kept = without_image(stored, volume.padding)
        low = np.empty(stored.shape, np.float32)
        for number, index in enumerate(frames):
            real = stored[number] * volume.slope[index] + volume.intercept[index]
            low[number] = normal = intensity_range.normalize(fill_nearest(real, kept[number]))
            # Nothing to sharpen, and a network would draw a faint border.
            kept[number] |= normal.min() == normal.max()
        blank = kept.all()
        finer = self._repeat(stored) if blank else np.empty(self._finer_shape(stored.shape), stored.dtype)
        for there, high in () if blank else self._infer(low, tile):
            if not np.isfinite(high).all():
                raise MonaiSRError(
                    f"The network gave values that are not finite in frames {frames.start + 1} to "
                    f"{frames.stop}: check its weights."
                )
            for number, index in enumerate(frames):
                values = finer[number][there]
                values[:] = volume.to_stored(intensity_range.restore(high[number]), index, floor)
        for number, index in enumerate(frames):
            empty = kept[number]
            if check is not None and not empty.all():
                finer[number] = check(index, finer[number], fill_nearest(stored[number], empty), empty)
            mask = self._repeat(empty)
            if intervals is not None:
                intervals(index, low[number], finer[number], mask)
            if empty.any():
                finer[number][mask] = self._repeat(stored[number])[mask]
        return finer

    def predict(self, frames: np.ndarray) -> np.ndarray:
        """Super-resolve plain frames, normalising them together as a volume's.

        Args:
            frames: real values in any unit, shape (n, H, W).

        Returns:
            float64 array of shape (n, H·s, W·s), in the same unit.

        Raises:
            InputError: if there is not enough memory.
        """
        intensity_range = IntensityRange.from_array(frames)
        finer = np.empty(self._finer_shape(frames.shape))
        held = frames[0].size * bytes_held(finer.itemsize, self.scale_factor)
        tile = self._tile(frames.shape, 1, held)
        for number, frame in enumerate(frames):
            low = intensity_range.normalize(frame)
            if low.min() == low.max():
                finer[number] = self._repeat(frame)
                continue
            for there, high in self._infer(low[None].astype(np.float32), tile):
                finer[number][there] = intensity_range.restore(high[0])
        return finer

    def _infer(self, low: np.ndarray, tile: int) -> Iterator[tuple[Place, np.ndarray]]:
        """Network on normalised frames (n, H, W): a place in the output, and what is there."""
        image, scale = torch.from_numpy(low)[:, None], self.scale_factor
        for rows, columns, high in pieces(self.runtime, image, scale, tile, self._radius):
            there = tuple(slice(part.start * scale, part.stop * scale) for part in (rows, columns))
            yield there, high[:, 0].numpy()

    def _finer_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        return shape[0], shape[1] * self.scale_factor, shape[2] * self.scale_factor

    def _repeat(self, pixels: np.ndarray) -> np.ndarray:
        """Each pixel of (..., H, W) as the finer pixels that cover it."""
        return pixels.repeat(self.scale_factor, axis=-2).repeat(self.scale_factor, axis=-1)
