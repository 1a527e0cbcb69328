"""Super-resolution in one call, for notebooks and scripts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from monai_sr.evaluate import bicubic
from monai_sr.io import read_volume, write_volume
from monai_sr.io.remote import local_copy
from monai_sr.report.figures import comparison_figure
from monai_sr.upscaler import Upscaler
from monai_sr.volume import Provenance, Volume


@dataclass(frozen=True, eq=False)
class SuperResolved:
    """An image before and after.

    Args:
        low: as it was read.
        high: the same field of view, finer in plane.
        provenance: what made it.
    """

    low: Volume
    high: Volume
    provenance: Provenance

    def show(self, frame: int | None = None) -> Figure:
        """One frame as it was, bicubically enlarged and super-resolved, side by side.

        Args:
            frame: index from 0; the middle one by default.

        Returns:
            The figure, which a notebook shows and `figure.savefig(path)` writes.

        Raises:
            ValueError: if there is no such frame.
        """
        count = len(self.low.array)
        index = count // 2 if frame is None else frame
        if not 0 <= index < count:
            raise ValueError(f"frame must be from 0 to {count - 1}, got {frame}.")
        low = self.low.array[index]
        enlarged = bicubic(low[None].astype(float), self.provenance.scale_factor)[0]
        return comparison_figure(low, enlarged, self.high.array[index])

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the finer image in the format of its source.

        Args:
            path: folder for DICOM, file for the rest.
            overwrite: replace an earlier output.

        Raises:
            InputError: if the output is not allowed.
            MonaiSRError: if writing fails; nothing is left half-written.
        """
        write_volume(self.high, path, self.provenance, overwrite)


def super_resolve(
    source: str | Path,
    bundle: str | Path = "edsr_mri",
    scale_factor: int = 2,
    alpha: float | None = None,
    device: str = "auto",
) -> SuperResolved:
    """Read an image, super-resolve it in plane and return both.

    Args:
        source: a DICOM folder or file, NIfTI, MetaImage, NRRD, PNG, TIFF or JPEG; or the http(s) address of
            such a file on the public internet.
        bundle: name or folder of a bundle.
        scale_factor: enlargement.
        alpha: see `Upscaler.from_bundle`.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        The image before and after.

    Raises:
        InputError: if the input cannot be read, or the bundle or its weights are not there.

    Example:
        >>> from monai_sr.sample import sample_series_dir
        >>> result = super_resolve(sample_series_dir())
        >>> result.low.array.shape, result.high.array.shape
        ((12, 192, 160), (12, 384, 320))
    """
    upscaler = Upscaler.from_bundle(bundle, scale_factor, device=device, alpha=alpha)
    with local_copy(source) as path:
        low = read_volume(path)
    return SuperResolved(low, upscaler(low), upscaler.provenance)
