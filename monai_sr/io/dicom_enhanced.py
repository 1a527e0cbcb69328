"""Functional groups of a derived multi-frame image."""

from __future__ import annotations

from pydicom.dataset import Dataset

from monai_sr.io.dicom_frames import macros
from monai_sr.io.dicom_grid import scale_position, scale_spacing
from monai_sr.io.dicom_provenance import describe_frames
from monai_sr.io.dicom_types import Instance
from monai_sr.volume import Provenance


def derive_groups(derived: Dataset, instance: Instance, provenance: Provenance) -> None:
    """Change in place what functional groups say of the grid and of where the frames come from.

    Args:
        derived: header with the source's functional groups.
        instance: the source.
        provenance: what was done.
    """
    shared = list(derived.get("SharedFunctionalGroupsSequence") or ())
    pairs = [*((groups, instance.frames[0]) for groups in shared)]
    pairs += zip(derived.PerFrameFunctionalGroupsSequence, instance.frames, strict=True)
    for groups, frame in pairs:
        for macro in macros(groups):
            scale_spacing(macro, provenance.scale_factor)
            scale_position(macro, frame, provenance.scale_factor)
    describe_frames(derived, instance.header, provenance)
