"""From a volume to its super-resolved volume."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import nn
from torch.fx.proxy import TraceError

import monai_sr
from monai_sr.bundle import DEFAULT_SCALE, find_bundle
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.geometry import scale_affine
from monai_sr.intensity import IntensityRange
from monai_sr.runtimes import Runtime, make_runtime
from monai_sr.runtimes.tiles import receptive_radius, tiled
from monai_sr.runtimes.torch_runtime import TorchRuntime
from monai_sr.volume import LazyFrames, Provenance, Volume, without_image
from monai_sr.weights import read_weights

_logger = logging.getLogger(__name__)

TILE = 1024
"""Frames with more rows or columns than this are computed in overlapping tiles, which bounds memory."""

Progress = Callable[[int, int], None]


class Upscaler:
    """Super-resolve every frame of a volume in plane.

    Args:
        network: maps (N, 1, H, W), intensities about [0, 1], to (N, 1, H·s, W·s); has `scale_factor`.
        device: where to compute.
        provenance: what the network is, for the record in the output; a nameless one by default.
        runtime: computes the network; PyTorch in float32 by default.

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
    ) -> None:
        scale_factor = getattr(network, "scale_factor", None)
        if not isinstance(scale_factor, int):
            raise ValueError(f"network must have an integer scale_factor, got {scale_factor!r}.")
        self.scale_factor = scale_factor
        self.network = network.eval()
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

        Returns:
            The upscaler.

        Raises:
            InputError: if the bundle, its weights, the device or the runtime are not there, or `alpha` or
                the precision cannot be used.
        """
        found = find_bundle(bundle)
        scale = DEFAULT_SCALE if scale_factor is None else scale_factor
        if scale < DEFAULT_SCALE:
            raise InputError(f"The scale factor must be 2 or more, got {scale}.")
        if weights is not None and alpha is not None:
            raise InputError("weights and alpha exclude each other: blend your own by `monai-sr blend`.")
        loaded = found.weights(scale, alpha) if weights is None else read_weights(weights)
        network = found.network(scale)
        loaded.load_into(network)
        place = choose_device(device)
        measured = found.measured_precisions(scale) if weights is None else []
        made = make_runtime(network, place, runtime, precision, measured, force_precision)
        provenance = Provenance(
            scale_factor=scale,
            bundle=found.name,
            bundle_version=found.version,
            weights_sha256=loaded.sha256,
            software_version=monai_sr.__version__,
            description=loaded.description,
            computation=f"{made.name} {made.precision}",
        )
        return cls(network, place, provenance, made)

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
            The finer volume, whose `array` is `LazyFrames`.

        Raises:
            InputError: if no pixel is finite.
            MonaiSRError: from a frame, if the network gives values that are not finite.
        """
        intensity_range, floor = _survey(volume)
        count, rows, columns = volume.array.shape

        def finer(index: int) -> np.ndarray:
            frame = self._upscale(volume, index, intensity_range, floor)
            if progress is not None:
                progress(index + 1, count)
            return frame

        shape = (count, rows * self.scale_factor, columns * self.scale_factor)
        return replace(
            volume,
            array=LazyFrames(shape, volume.array.dtype, finer),
            affine=scale_affine(volume.affine, self.scale_factor),
        )

    def _upscale(
        self, volume: Volume, index: int, intensity_range: IntensityRange, floor: float
    ) -> np.ndarray:
        """Finer stored values of one frame, none below `floor`."""
        stored = volume.array[index]
        empty = without_image(stored, volume.padding)
        real = stored * volume.slope[index] + volume.intercept[index]
        high = intensity_range.restore(self._infer(intensity_range.normalize(fill_nearest(real, empty))))
        if not np.isfinite(high).all():
            raise MonaiSRError(f"The network gave no finite values for frame {index + 1}: check its weights.")
        finer = self._to_stored(high, volume, index, floor)
        mask = self._repeat(empty)
        finer[mask] = self._repeat(stored)[mask]
        return finer

    def predict(self, frames: np.ndarray) -> np.ndarray:
        """Super-resolve plain frames, normalising them together as a volume's.

        Args:
            frames: real values in any unit, shape (n, H, W).

        Returns:
            float64 array of shape (n, H·s, W·s), in the same unit.
        """
        intensity_range = IntensityRange.from_array(frames)
        low = intensity_range.normalize(frames)
        return intensity_range.restore(np.stack([self._infer(frame) for frame in low]))

    @torch.inference_mode()
    def _infer(self, frame: np.ndarray) -> np.ndarray:
        """Network on one normalised frame (H, W)."""
        if frame.min() == frame.max():
            # Nothing to sharpen, and a network would draw a faint border.
            return self._repeat(frame)
        image = torch.from_numpy(frame.astype(np.float32))[None, None]
        pred = (
            self.runtime(image)
            if max(frame.shape) <= TILE
            else tiled(self.runtime, image, self.scale_factor, TILE, self._radius)
        )
        high: np.ndarray = pred[0, 0].numpy()
        return high

    @cached_property
    def _radius(self) -> int:
        try:
            return receptive_radius(self.network)
        except TraceError:
            # A network of the user's own making: far beyond what any of ours looks at.
            return TILE // 8

    @staticmethod
    def _to_stored(real: np.ndarray, volume: Volume, index: int, floor: float) -> np.ndarray:
        """Stored values of frame `index`, within what the encoding can hold."""
        stored = np.maximum((real - volume.intercept[index]) / volume.slope[index], floor)
        if np.issubdtype(volume.array.dtype, np.integer):
            stored = np.clip(np.rint(stored), *volume.stored_range)
        typed: np.ndarray = stored.astype(volume.array.dtype)
        return typed

    def _repeat(self, pixels: np.ndarray) -> np.ndarray:
        """Each pixel of (..., H, W) as the finer pixels that cover it."""
        return pixels.repeat(self.scale_factor, axis=-2).repeat(self.scale_factor, axis=-1)


def _survey(volume: Volume) -> tuple[IntensityRange, float]:
    """Intensity range of the pixels of a volume that hold an image, and the least value of its output.

    A sharp edge overshoots; where no stored value is negative, as in a magnitude image, none becomes so.
    """
    n_image = n_not_finite = 0
    floor = 0.0

    def image(index: int) -> np.ndarray:
        nonlocal n_image, n_not_finite, floor
        stored = volume.array[index]
        there = ~without_image(stored, volume.padding)
        if (stored[there] < 0).any():
            floor = -np.inf
        n_image += int(there.sum())
        n_not_finite += int((~np.isfinite(stored)).sum())
        real: np.ndarray = stored[there] * volume.slope[index] + volume.intercept[index]
        return real

    count, rows, columns = volume.array.shape
    intensity_range = IntensityRange.from_frames(map(image, range(count)), count * rows * columns)
    if n_not_finite:
        if not n_image:
            raise InputError(f"{volume.path} has no pixel of finite value: check how it was made.")
        _logger.warning(
            "%s: %d pixels are not finite; they keep their stored value", volume.path, n_not_finite
        )
    return intensity_range, floor


def fill_nearest(frame: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Give pixels without an image the nearest image's value, so that its edge does not ring.

    Args:
        frame: real values, shape (H, W).
        empty: True where there is no image, same shape.

    Returns:
        A filled frame, all zero where there is no image at all.

    Example:
        >>> fill_nearest(np.array([[5.0, -2000.0, -2000.0]]), np.array([[False, True, True]])).tolist()
        [[5.0, 5.0, 5.0]]
    """
    if not empty.any():
        return frame
    if empty.all():
        return np.zeros_like(frame)
    nearest = distance_transform_edt(empty, return_distances=False, return_indices=True)
    filled: np.ndarray = frame[tuple(nearest)]
    return filled


def choose_device(device: str) -> torch.device:
    """The device that a name means here.

    Args:
        device: `auto` (a GPU if there is one), `cpu` or `cuda`.

    Returns:
        The device.

    Raises:
        InputError: if it is none of these, or there is no GPU.
    """
    if device not in {"auto", "cpu", "cuda"}:
        raise InputError(f"There is no device {device}: use auto, cpu or cuda.")
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InputError("No CUDA device was found: use --device cpu, or install a CUDA build of PyTorch.")
    return torch.device("cuda" if device != "cpu" and available else "cpu")
