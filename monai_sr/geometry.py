"""Where pixels are: order of slices, their affine, and the finer grid of the same field of view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

ORIENTATION_TOLERANCE = 1e-3
"""Largest difference of direction cosines that still counts as the same orientation."""

DUPLICATE_TOLERANCE = 1e-3
"""Slices closer than this, in mm, lie at the same position."""

UNEVEN_TOLERANCE = 0.05
"""Largest relative departure of a step between slices from the median step that still counts as even."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def _first_pixel_shift(scale_factor: int) -> float:
    # The corner of the field of view stays: the first centre moves by half a coarse less half a finer pixel.
    if scale_factor < 1:
        raise ValueError(f"scale_factor is {scale_factor}; give an integer of at least 1")
    return (1 / scale_factor - 1) / 2


def scale_affine(affine: ArrayLike, scale_factor: int) -> NDArray[np.float64]:
    """Affine of the same field of view sampled `scale_factor` times finer in plane.

    Args:
        affine: voxel-to-world matrix, shape (4, 4), in mm.
        scale_factor: integer >= 1, applied to the first two voxel axes.

    Returns:
        Matrix of shape (4, 4), in mm: spacing divided, origin at the first finer voxel's centre.

    Raises:
        ValueError: if `scale_factor` < 1 or `affine` is not 4 x 4.

    Example:
        >>> scale_affine(np.eye(4), 2)[:3, 3].tolist()
        [-0.25, -0.25, 0.0]
    """
    matrix = np.asarray(affine, np.float64)
    if matrix.shape != (4, 4):
        raise ValueError(f"affine has shape {matrix.shape}; give (4, 4)")
    shift = _first_pixel_shift(scale_factor)
    finer_to_coarse = np.diag([1 / scale_factor, 1 / scale_factor, 1.0, 1.0])
    finer_to_coarse[:2, 3] = shift
    return matrix @ finer_to_coarse


def scale_slices(affine: ArrayLike, ratio: float) -> NDArray[np.float64]:
    """Affine of the same field of view with slices `ratio` times finer.

    Args:
        affine: voxel-to-world matrix, shape (4, 4), in mm; its third voxel axis is across slices.
        ratio: finer slices for each slice, above 0; a whole number or not.

    Returns:
        Matrix of shape (4, 4), in mm: slice distance divided, origin at the first finer slice's centre.

    Raises:
        ValueError: if `ratio` is not above 0.

    Example:
        >>> scale_slices(np.diag([1, 1, 4, 1]), 4)[2].tolist()
        [0.0, 0.0, 1.0, -1.5]
    """
    if ratio <= 0:
        raise ValueError(f"ratio is {ratio}; give one above 0")
    matrix = np.array(affine, np.float64)
    matrix[:3, 3] += (1 / ratio - 1) / 2 * matrix[:3, 2]
    matrix[:3, 2] /= ratio
    return matrix


def scale_image_position(
    position: ArrayLike, orientation: ArrayLike, pixel_spacing: ArrayLike, scale_factor: int
) -> NDArray[np.float64]:
    """ImagePositionPatient of the same slice sampled `scale_factor` times finer.

    Args:
        position: ImagePositionPatient, shape (3,), in mm.
        orientation: ImageOrientationPatient, shape (6,), direction cosines of a row, then of a column.
        pixel_spacing: PixelSpacing of the source, shape (2,), between rows, then between columns, in mm.
        scale_factor: integer >= 1.

    Returns:
        Position of the first finer pixel's centre, shape (3,), in mm.

    Raises:
        ValueError: if `scale_factor` < 1.

    Example:
        >>> scale_image_position([0, 0, 0], [1, 0, 0, 0, 1, 0], [0.8, 0.4], 2).tolist()
        [-0.1, -0.2, 0.0]
    """
    along_row, along_column = np.asarray(orientation, np.float64).reshape(2, 3)
    between_rows, between_columns = np.asarray(pixel_spacing, np.float64)
    shift = _first_pixel_shift(scale_factor)
    one_pixel: NDArray[np.float64] = between_columns * along_row + between_rows * along_column
    return np.asarray(position, np.float64) + shift * one_pixel


def slice_positions(positions: ArrayLike, orientation: ArrayLike) -> NDArray[np.float64]:
    """Distances of slices along their common normal.

    Args:
        positions: ImagePositionPatient of each slice, shape (n, 3), in mm.
        orientation: their ImageOrientationPatient, shape (6,).

    Returns:
        Shape (n,), in mm.
    """
    along_row, along_column = np.asarray(orientation, np.float64).reshape(2, 3)
    return np.asarray(positions, np.float64) @ np.cross(along_row, along_column)


def same_orientation(orientations: ArrayLike) -> bool:
    """Whether slices are parallel.

    Args:
        orientations: ImageOrientationPatient of each slice, shape (n, 6).

    Returns:
        True if no direction cosine differs by more than `ORIENTATION_TOLERANCE` from the first slice's.
    """
    cosines = np.asarray(orientations, np.float64)
    return bool(np.abs(cosines - cosines[0]).max() <= ORIENTATION_TOLERANCE)


def is_orthonormal(orientation: ArrayLike) -> bool:
    """Whether the two directions of ImageOrientationPatient, shape (6,), are unit vectors at right angles."""
    directions = np.asarray(orientation, np.float64).reshape(2, 3)
    return bool(np.abs(directions @ directions.T - np.eye(2)).max() <= ORIENTATION_TOLERANCE)


def spacing_findings(distances: Sequence[float] | NDArray[np.float64]) -> list[str]:
    """What makes sorted slices less than a regular stack; harmless for work in plane.

    Args:
        distances: positions along the normal, ascending, shape (n,), in mm.

    Returns:
        Phrases such as "uneven steps between slices (3 to 6 mm)", empty for a regular stack.

    Example:
        >>> spacing_findings([0.0, 3.0, 3.0, 6.0, 12.0])
        ['1 slice at a position that another one has', 'uneven steps between slices (3 to 6 mm)']
    """
    steps = np.diff(np.asarray(distances, np.float64))
    duplicates = int((steps < DUPLICATE_TOLERANCE).sum())
    steps = steps[steps >= DUPLICATE_TOLERANCE]
    findings = []
    if duplicates:
        noun = "slice" if duplicates == 1 else "slices"
        findings.append(f"{duplicates} {noun} at a position that another one has")
    if steps.size and np.abs(steps / np.median(steps) - 1).max() > UNEVEN_TOLERANCE:
        findings.append(f"uneven steps between slices ({steps.min():.4g} to {steps.max():.4g} mm)")
    return findings


def slice_affine(
    positions: ArrayLike, orientation: ArrayLike, pixel_spacing: ArrayLike, thickness: float
) -> NDArray[np.float64]:
    """Affine of parallel slices, from the attributes of DICOM's Image Plane.

    Args:
        positions: ImagePositionPatient in the order of frames, shape (n, 3), in mm (LPS).
        orientation: ImageOrientationPatient, shape (6,).
        pixel_spacing: PixelSpacing, shape (2,), between rows, then between columns, in mm.
        thickness: step along the normal, in mm, where the positions give none (one slice, or one position).

    Returns:
        Voxel (row, column, frame) to RAS, shape (4, 4), in mm; the mean step where slices are uneven.

    Example:
        >>> slice_affine([[0, 0, 5]], [1, 0, 0, 0, 1, 0], [0.8, 0.4], 3.0).round(3).tolist()[2]
        [0.0, 0.0, 3.0, 5.0]
    """
    origins = np.asarray(positions, np.float64)
    along_row, along_column = np.asarray(orientation, np.float64).reshape(2, 3)
    between_rows, between_columns = np.asarray(pixel_spacing, np.float64)
    step = (origins[-1] - origins[0]) / max(len(origins) - 1, 1)
    if np.linalg.norm(step) < DUPLICATE_TOLERANCE:
        step = thickness * np.cross(along_row, along_column)
    affine = np.eye(4)
    lps = np.column_stack([along_column * between_rows, along_row * between_columns, step, origins[0]])
    affine[:3] = _LPS_TO_RAS @ lps
    return affine
