"""Writing a DICOM series that has more slices than its source."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from monai_sr.errors import InputError
from monai_sr.io.atomic import atomic_folder
from monai_sr.io.dicom_derive import DerivedSeries, derive_header, derive_series, derived_uid
from monai_sr.io.dicom_grid import decimal_string
from monai_sr.io.dicom_header import quiet_pydicom
from monai_sr.io.dicom_types import DicomSource
from monai_sr.io.dicom_writer import TRANSFER_SYNTAXES, DicomOutput, write_image_file
from monai_sr.io.encoding import stored_frame
from monai_sr.volume import Provenance, Volume

_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


def write_dicom_slices(
    volume: Volume, source: DicomSource, path: Path, provenance: Provenance, output: DicomOutput
) -> None:
    """Write the derived series: a folder of 00001.dcm, 00002.dcm, ... in the order of the slices.

    Args:
        volume: finer slices in stored values.
        source: the single-frame images that they derive from, in the order of their position.
        path: the output, checked to be free.
        provenance: what was done.
        output: how it is to be written.

    Raises:
        InputError: if Secondary Capture is asked for, which holds no positions.
        ValueError: if the volume does not fit its source.
        MonaiSRError: if the disk refuses; nothing is left then.
    """
    if output.secondary_capture:
        raise InputError(f"{path} would lose where its slices lie: leave --secondary-capture out")
    encoding = source.instances[0].encoding
    if volume.array.dtype != encoding.dtype or volume.array.shape[1:] != (encoding.rows, encoding.columns):
        raise ValueError(
            f"array is {volume.array.dtype} of shape {volume.array.shape}; give frames as the source's"
        )
    syntax = TRANSFER_SYNTAXES[output.transfer_syntax]
    with quiet_pydicom(), atomic_folder(path) as folder:
        for number, image in enumerate(_images(volume, source, provenance), start=1):
            write_image_file(*image, syntax, folder / f"{number:05d}.dcm")


_Image = tuple[Path, Callable[[], Dataset], list[np.ndarray]]
"""Of a derived image: the source's nearest file, what makes the header, and the slice."""


def _images(volume: Volume, source: DicomSource, provenance: Provenance) -> Iterator[_Image]:
    coarse, fine = len(source.places), len(volume.array)
    series = derive_series(source, provenance, f"series of {fine} slices")
    description = str(source.instances[0].header.get("SeriesDescription") or "")[:46]
    series = replace(series, description=f"{description} SR through plane".strip())
    for index in range(fine):
        place = (index + 0.5) * coarse / fine - 0.5
        header = partial(_header, volume, source, provenance, series, index, place)
        yield source.instances[_nearest(place)].path, header, [stored_frame(volume, index)]


def _nearest(place: float) -> int:
    return int(np.floor(place + 0.5))


def _header(
    volume: Volume,
    source: DicomSource,
    provenance: Provenance,
    series: DerivedSeries,
    index: int,
    place: float,
) -> Dataset:
    """Header of one finer slice, which lies at `place` among the source's slices."""
    nearest = source.instances[_nearest(place)]
    derived = derive_header(nearest, series, provenance)
    uid = derived_uid(nearest.header.SOPInstanceUID, f"slice {index + 1} of {len(volume.array)}", provenance)
    derived.SOPInstanceUID = derived.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    distance = volume.spacing[2]
    position = _RAS_TO_LPS * (volume.affine @ [0, 0, index, 1])[:3]
    derived.ImagePositionPatient = [decimal_string(value) for value in position]
    derived.SliceThickness = derived.SpacingBetweenSlices = decimal_string(distance)
    derived.InstanceNumber = index + 1
    locations = [instance.header.get("SliceLocation") for instance in source.instances]
    if None in locations or "" in locations:
        derived.pop("SliceLocation", None)
    else:
        first, last = float(locations[0]), float(locations[-1])
        derived.SliceLocation = decimal_string(first + place * (last - first) / (len(locations) - 1))
    told = volume.consistency.get(index)
    parts = (
        str(nearest.header.get("DerivationDescription") or ""),
        f"Slices found between slices, {len(source.places)} to {len(volume.array)}, same field of view, not "
        f"for diagnosis, {provenance.origin}, "
        f"{provenance.computation}, monai-sr {provenance.software_version}",
        str(told or ""),
    )
    derived.DerivationDescription = "; ".join(filter(None, parts))[:1024]
    # What lies farther away has little part in it.
    near = range(max(0, _nearest(place) - 1), min(len(source.places), _nearest(place) + 2))
    (reference,) = derived.SourceImageSequence
    derived.SourceImageSequence = [_refer(reference, source, number) for number in near]
    return derived


def _refer(reference: Dataset, source: DicomSource, number: int) -> Dataset:
    header = source.instances[number].header
    item = copy.deepcopy(reference)
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    return item
