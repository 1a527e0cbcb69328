"""From a volume of thick slices to the one of the same field of view with slices as fine as its pixels."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import monai_sr
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.geometry import scale_slices
from monai_sr.intensity import IntensityRange
from monai_sr.networks import SliceInterpolator
from monai_sr.survey import survey
from monai_sr.through_plane.agreement import agreement
from monai_sr.through_plane.bounds import bounds, keep_within
from monai_sr.through_plane.fusion import accumulate
from monai_sr.through_plane.grid import SliceGrid
from monai_sr.through_plane.restoration import Restoration
from monai_sr.through_plane.training import SLICES, WIDTH, PatchSampler, train
from monai_sr.volume import Provenance, Volume, fill_nearest, without_image
from monai_sr.weights import read_weights

_logger = logging.getLogger(__name__)

WEIGHTS = Path(__file__).with_name("weights.pt")
"""Trained by `scripts/train_through_plane.py`."""

RECORD = WEIGHTS.with_suffix(".json")
"""How they were trained."""

VERSION = "0.1.0"
"""Of the weights."""

ITERATIONS = 400
"""Of the training on the volume's own planes: some minutes on a CPU."""

LEARNING_RATE = 3e-4

MEMORY = 4 * 2**30
RESERVED = 2**30
BYTES_PER_VOXEL = 48
"""What is held for each finer voxel, in two estimates and their spectra."""

MIN_THICKNESS, MAX_THICKNESS = 0.7, 1.5
"""Of a slice, in distances between slices: thinner ones leave gaps that nobody saw, thicker ones blur."""

MAX_RATIO = 16
"""Of finer slices to slices: twice what the network was trained on, beyond which nearly all is guessed."""

EQUAL = 0.05
"""Spacings that differ by less than this fraction count as equal, so that a whole ratio is taken."""

SEED = 0
_BATCH_PIXELS = 2**15

Progress = Callable[[int, int], None]


class ThroughPlane:
    """Find the slices between the slices of a volume that is finer in plane than across.

    The network sees the volume in the two orthogonal families of planes across the slices; both results are
    fused by Fourier burst accumulation. Degraded by the slice profile they give the slices again.

    Args:
        network: as of `Restoration`, trained.
        profile: shape of the slice profile, see `SliceGrid`.
        self_supervised: train a copy of the network further on the volume's own slices first.
        iterations: of that.
        device: where to compute.
        memory: bytes that the process may take.
        weights_sha256: of the network's weights, for the record in the output.

    Example:
        >>> through = ThroughPlane.released()
        >>> through.profile
        'box'
    """

    def __init__(
        self,
        network: nn.Module,
        profile: str = "box",
        self_supervised: bool = False,
        iterations: int = ITERATIONS,
        device: str | torch.device = "cpu",
        memory: int = MEMORY,
        weights_sha256: str = "none",
    ) -> None:
        self.profile = profile
        self.self_supervised = self_supervised
        self.iterations = iterations
        self.memory = memory
        self._device = torch.device(device)
        self.network = network.to(self._device).eval()
        how = f"{profile} profile" + f", self-supervised {iterations}" * self_supervised
        self.provenance = Provenance(
            scale_factor=1,
            bundle="through_plane",
            bundle_version=VERSION,
            weights_sha256=weights_sha256,
            software_version=monai_sr.__version__,
            computation=f"torch float32, {how}",
        )

    @classmethod
    def released(
        cls,
        profile: str = "box",
        self_supervised: bool = False,
        device: str | torch.device = "cpu",
        memory: int = MEMORY,
    ) -> ThroughPlane:
        """With the network and the weights that come with the package.

        Args:
            profile: as of the constructor.
            self_supervised: as of the constructor.
            device: as of the constructor.
            memory: as of the constructor.

        Returns:
            What finds slices.
        """
        weights = read_weights(WEIGHTS)
        network = SliceInterpolator()
        weights.load_into(network)
        return cls(
            network, profile, self_supervised, device=device, memory=memory, weights_sha256=weights.sha256
        )

    def grid(
        self, volume: Volume, thickness: float | None = None, slice_factor: int | None = None
    ) -> SliceGrid:
        """How many slices there will be, before any work is done.

        Args:
            volume: frames that are slices, evenly spaced.
            thickness: of a slice, in mm; by default the distance between slices.
            slice_factor: finer slices for each slice; by default as many as make the distance between slices
                that between pixels.

        Returns:
            The slices and the finer ones.

        Raises:
            InputError: if there is no finer sampling, or it does not fit into the memory.
        """
        row, column, distance = volume.spacing
        count = len(volume.array)
        if count < 2:
            raise InputError(
                f"{volume.path} has one slice, and there is nothing between: give a whole series."
            )
        pixel = min(row, column)
        if slice_factor is not None:
            fine = count * slice_factor
        elif abs(distance / pixel / (whole := max(1, round(distance / pixel))) - 1) <= EQUAL:
            fine = count * whole
        else:
            fine = round(count * distance / pixel)
        if fine <= count:
            raise InputError(
                f"{volume.path} has slices {distance:.3g} mm apart and pixels of {pixel:.3g} mm: there is "
                "nothing to find between them."
            )
        if fine > MAX_RATIO * count:
            raise InputError(
                f"{volume.path} would get {fine / count:.3g} slices for each: nearly all of them would be "
                f"guessed. Give a --slice-factor of at most {MAX_RATIO}."
            )
        needed = fine * int(np.prod(volume.array.shape[1:])) * BYTES_PER_VOXEL + RESERVED
        if needed > self.memory:
            raise InputError(
                f"{volume.path} needs {needed / 2**30:.1f} GiB for its finer slices: give more --memory, or "
                "crop it."
            )
        relative = 1.0 if thickness is None else thickness / distance
        if relative < MIN_THICKNESS:
            raise InputError(
                f"{volume.path} has gaps between its slices, {thickness:.3g} mm thick and {distance:.3g} mm "
                "apart: what lies in them was not seen."
            )
        if relative > MAX_THICKNESS:
            raise InputError(
                f"{volume.path} has slices that overlap too far, {thickness:.3g} mm thick and {distance:.3g} "
                "mm apart: leave some out."
            )
        return SliceGrid(count, fine, relative, self.profile)

    def __call__(
        self,
        volume: Volume,
        thickness: float | None = None,
        slice_factor: int | None = None,
        progress: Progress | None = None,
    ) -> Volume:
        """Find the slices between.

        Args:
            volume: as of `grid`, in stored values.
            thickness: as of `grid`.
            slice_factor: as of `grid`.
            progress: called with (steps done, steps in all).

        Returns:
            The same field of view with finer slices: stored values of the same type, rounded and kept within
            the encoding's range; none is negative where none was. Where the slice that a finer one lies in
            holds no image, it has that slice's stored value.

        Raises:
            InputError: as of `grid`, or if no pixel is finite.
            MonaiSRError: if the network gives values that are not finite.
        """
        grid = self.grid(volume, thickness, slice_factor)
        volume = volume.load()
        intensity_range, floor = survey(volume)
        stored, empty, slices = self._normal(volume, intensity_range)
        steps = self.iterations * self.self_supervised + slices.shape[1] + slices.shape[2]
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(done, steps)

        if slices.min() == slices.max():
            finer = slices[grid.nearest]  # nothing to find, and a network would draw a faint border
        else:
            finer = self._find(slices, grid, advance, volume.path)
            keep_within(finer, slices, grid, *bounds(volume, grid, intensity_range, floor))
        result = replace(
            volume,
            array=self._stored(finer, volume, stored, empty, grid, intensity_range, floor),
            affine=scale_slices(volume.affine, grid.ratio),
            slope=volume.slope[grid.nearest],
            intercept=volume.intercept[grid.nearest],
        )
        return replace(result, consistency=agreement(result, volume, empty, grid))

    @staticmethod
    def _normal(
        volume: Volume, intensity_range: IntensityRange
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_], NDArray[np.float32]]:
        """Stored slices, where they hold no image, and their intensities about [0, 1]."""
        stored: NDArray[np.generic] = np.asarray(volume.array)
        empty = without_image(stored, volume.padding)
        slices = np.empty(stored.shape, np.float32)
        for index, frame in enumerate(stored):
            real = frame * volume.slope[index] + volume.intercept[index]
            slices[index] = intensity_range.normalize(fill_nearest(real, empty[index]))
        return stored, empty, slices

    def _find(
        self, slices: NDArray[np.float32], grid: SliceGrid, advance: Callable[[int], None], path: Path
    ) -> NDArray[np.float32]:
        """Finer slices that give `slices` again, shape (fine, rows, columns)."""
        network = self.network
        if self.self_supervised:
            network = self._trained(slices, grid, advance, path)
        restore = Restoration(network, grid, self._device)
        finer = accumulate([self._across(restore, slices, grid, axis, advance) for axis in (2, 1)])
        missing = slices - np.tensordot(grid.degradation.astype(np.float32), finer, 1)
        finer += np.tensordot(grid.interpolation.astype(np.float32), missing, 1)
        return finer

    def _trained(
        self, slices: NDArray[np.float32], grid: SliceGrid, advance: Callable[[int], None], path: Path
    ) -> nn.Module:
        """A copy of the network that knows this volume's planes."""
        network = copy.deepcopy(self.network)
        # As many slices in a patch as a plane has room for.
        count = min(SLICES, int(max(slices.shape[1:]) / grid.ratio))
        if count < 2:
            raise InputError(f"{path} is too small in plane to train on: leave --self-supervised out.")
        patch = SliceGrid(count, round(count * grid.ratio), grid.thickness, grid.profile)
        train(
            network,
            PatchSampler(list(slices), SEED),
            lambda number: patch,
            self.iterations,
            LEARNING_RATE,
            self._device,
            min(WIDTH, *slices.shape[1:]),
            lambda number, loss: advance(1),
        )
        return network

    def _across(
        self,
        restore: Restoration,
        slices: NDArray[np.float32],
        grid: SliceGrid,
        axis: int,
        advance: Callable[[int], None],
    ) -> NDArray[np.float32]:
        """Restored in the planes across `axis`, shape (fine, rows, columns)."""
        planes = np.moveaxis(slices, axis, 0)
        finer = np.empty((len(planes), grid.fine, planes.shape[2]), np.float32)
        batch = max(1, _BATCH_PIXELS // (grid.coarse * planes.shape[2]))
        for first in range(0, len(planes), batch):
            part = torch.from_numpy(np.ascontiguousarray(planes[first : first + batch]))[:, None]
            with torch.inference_mode():
                found = restore(part.to(self._device))[:, 0].cpu().numpy()
            if not np.isfinite(found).all():
                raise MonaiSRError("The network gave values that are not finite: check its weights.")
            finer[first : first + batch] = found
            advance(len(part))
        return np.ascontiguousarray(np.moveaxis(finer, 0, axis))

    @staticmethod
    def _stored(
        finer: NDArray[np.float32],
        volume: Volume,
        stored: NDArray[np.generic],
        empty: NDArray[np.bool_],
        grid: SliceGrid,
        intensity_range: IntensityRange,
        floor: float,
    ) -> NDArray[np.generic]:
        """Finer intensities in the volume's type and units."""
        result = np.empty(finer.shape, stored.dtype)
        for index, nearest in enumerate(grid.nearest):
            real = intensity_range.restore(finer[index])
            values = np.maximum((real - volume.intercept[nearest]) / volume.slope[nearest], floor)
            if np.issubdtype(stored.dtype, np.integer):
                values = np.rint(values).clip(*volume.stored_range)
            result[index] = values
            result[index][empty[nearest]] = stored[nearest][empty[nearest]]
        return result
