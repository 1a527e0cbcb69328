"""Cropping and slicing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform

from monai_sr.geometry import scale_affine


class CropToMultiple(Transform):
    """Drop the last rows and columns beyond a multiple of the scale factor.

    Args:
        scale_factor: what rows and columns become multiples of.

    Example:
        >>> CropToMultiple(4)(np.zeros((1, 9, 12))).shape
        (1, 8, 12)
    """

    def __init__(self, scale_factor: int) -> None:
        if scale_factor < 1:
            raise ValueError(f"scale_factor must be 1 or more, got {scale_factor}.")
        self.scale_factor = scale_factor

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Crop.

        Args:
            img: shape (C, H, W) or (C, H, W, frames).

        Returns:
            The same image with H and W cropped at their ends.

        Raises:
            ValueError: if nothing would be left.
        """
        height, width = (size // self.scale_factor * self.scale_factor for size in img.shape[1:3])
        if not height or not width:
            raise ValueError(
                f"img of {tuple(img.shape[1:3])} is smaller than scale_factor {self.scale_factor}."
            )
        return img[:, :height, :width]


class EvenSlicesd(MapTransform):
    """A few slices of a volume, evenly spaced about its middle, as items of their own.

    Args:
        keys: keys of volumes, shape (C, H, W, frames).
        num_slices: how many slices; fewer where the volume has fewer.
        allow_missing_keys: whether a key may be absent.
    """

    def __init__(self, keys: KeysCollection, num_slices: int, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        if num_slices < 1:
            raise ValueError(f"num_slices must be 1 or more, got {num_slices}.")
        self.num_slices = num_slices

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> list[dict[Hashable, NdarrayOrTensor]]:
        """Cut slices.

        Args:
            data: an item.

        Returns:
            One item per slice, its images of shape (C, H, W); the middle 60% of the volume is sampled,
            since the ends of a scan often show little.
        """
        frames = data[self.first_key(dict(data))].shape[-1]
        count = min(self.num_slices, frames)
        margin = (0.2 if count > 1 else 0.5) * (frames - 1)
        chosen = np.unique(np.linspace(margin, frames - 1 - margin, count).round().astype(int))
        return [
            {**data, **{key: data[key][..., index] for key in self.key_iterator(dict(data))}}
            for index in chosen
        ]


class ScaleAffined(MapTransform):
    """Give super-resolved volumes the affine of the finer grid, the field of view unchanged.

    Args:
        keys: keys of super-resolved volumes, shape (C, H, W, frames).
        reference: key of the low-resolution volume, a `MetaTensor`.
        scale_factor: enlargement in plane.
        allow_missing_keys: whether a key may be absent.
    """

    def __init__(
        self, keys: KeysCollection, reference: str, scale_factor: int, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.reference = reference
        self.scale_factor = scale_factor

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Set the affine in a copy of an item."""
        item = dict(data)
        reference = item[self.reference]
        affine = torch.from_numpy(scale_affine(reference.affine.numpy(), self.scale_factor))
        for key in self.key_iterator(item):
            item[key] = MetaTensor(torch.as_tensor(item[key]), meta={**reference.meta, "affine": affine})
        return item
