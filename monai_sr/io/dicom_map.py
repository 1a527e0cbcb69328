"""The intervals of a derived image as a DICOM Parametric Map."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.sr.coding import Code

from monai_sr.errors import InputError
from monai_sr.io.dicom_derive import DerivedSeries, derived_uid, identify
from monai_sr.io.dicom_header import quiet_pydicom
from monai_sr.io.dicom_provenance import add_equipment
from monai_sr.io.dicom_types import DicomSource, Instance
from monai_sr.volume import Provenance

if TYPE_CHECKING:
    import highdicom

_NEEDED = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName"),
)
"""What every image has, if only empty; a source that breaks the standard may lack it."""

_ARBITRARY = Code("[arb'U]", "UCUM", "arbitrary unit")
_HOUNSFIELD = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
_NUMBERS_APART = 500


def check_maps(instances: Iterable[Instance]) -> None:
    """Refuse maps that cannot be written.

    Args:
        instances: the sources of the images that they are of.

    Raises:
        InputError: if highdicom is not installed, or several frames of an image have no position.
    """
    for instance in instances:
        if instance.number_of_frames > 1 and any(frame.plane is None for frame in instance.frames):
            raise InputError(f"{instance.path} does not say where its frames lie; leave --uncertainty out")
    try:
        import highdicom  # noqa: F401
    except ModuleNotFoundError:
        raise InputError(
            "--uncertainty needs highdicom for DICOM: pip install 'monai-sr[uncertainty]'."
        ) from None


def map_series(series: DerivedSeries, provenance: Provenance, coverage: float) -> DerivedSeries:
    """Identity of the series of maps.

    Args:
        series: the derived series that they are of.
        provenance: what was done.
        coverage: share of the pixels that the intervals are to hold.

    Returns:
        What the maps share.
    """
    suffix = f" {coverage:.0%} interval"
    return replace(
        series,
        uid=derived_uid(series.uid, "interval series", provenance),
        number=series.number + _NUMBERS_APART,
        description=series.description[: 64 - len(suffix)] + suffix,
    )


def interval_map(
    derived: Dataset,
    half_width: NDArray[np.float32],
    series: DerivedSeries,
    number: int,
    thickness: float,
    provenance: Provenance,
    coverage: float,
) -> Dataset:
    """Map of an image, each of whose values is the half-width of the interval about that pixel.

    Args:
        derived: header of the image, complete.
        half_width: in real values, shape [frames, rows, columns], the image's frames in their order.
        series: of `map_series`.
        number: InstanceNumber, from 1.
        thickness: SliceThickness in mm, where the header has none.
        provenance: what was done.
        coverage: share of the pixels that the intervals are to hold.

    Returns:
        A dataset with file meta information for Explicit VR Little Endian.

    Raises:
        Exception: of any type, where attributes are malformed.
    """
    import highdicom

    source = _geometry_shared(derived)
    for keyword in _NEEDED:
        if keyword not in source:
            setattr(source, keyword, None)
    if not source.get("SliceThickness"):
        source.SliceThickness = thickness
    placed = "SharedFunctionalGroupsSequence" in source or "ImagePositionPatient" in source
    if not placed or "FrameOfReferenceUID" not in source:
        # A map needs a place: in a space of its own, where nothing else lies.
        source.FrameOfReferenceUID = derived_uid(derived.SOPInstanceUID, "frame of reference", provenance)
        source.PositionReferenceIndicator = ""
    if not placed:
        source.ImagePositionPatient = [0, 0, 0]
        source.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        source.PixelSpacing = source.get("PixelSpacing") or source.get("ImagerPixelSpacing") or [1, 1]
    with warnings.catch_warnings():
        # Of names of persons that are not written as DICOM asks, quoted in full.
        warnings.simplefilter("ignore")
        made: Dataset = highdicom.pm.ParametricMap(
            source_images=[source],
            pixel_array=half_width,
            series_instance_uid=series.uid,
            series_number=series.number,
            sop_instance_uid=derived_uid(derived.SOPInstanceUID, "interval", provenance),
            instance_number=number,
            manufacturer="monai_sr contributors",
            manufacturer_model_name="monai-sr",
            software_versions=provenance.software_version,
            device_serial_number="none",
            # Unless the source says that there are none, a head's may be.
            contains_recognizable_visual_features=derived.get("RecognizableVisualFeatures") != "NO",
            real_world_value_mappings=[_mapping(derived, half_width, coverage)],
            voi_lut_transformations=[_window(half_width)],
            content_label="INTERVAL",
            content_description=f"Half-width of the {coverage:.0%} interval about each pixel",
            series_description=series.description,
        )
    add_equipment(made, provenance)
    _settle(made, derived, provenance)
    identify(made, made.SOPInstanceUID, series)
    return made


def read_maps(source: DicomSource, path: Path) -> Callable[[int], NDArray[np.float32]]:
    """The maps that were written beside a derived series.

    Args:
        source: of the derived series.
        path: folder of the maps, each named as the image that it is of, or the map of a single image.

    Returns:
        From the number of a frame in the series' volume to its half-widths, shape [rows, columns]; raises
        `InputError` if that map cannot be read.
    """

    @lru_cache(1)  # a file of many frames is read once
    def read(file: Path) -> NDArray[np.float32]:
        try:
            with quiet_pydicom():
                made = dcmread(file)
            shape = int(made.get("NumberOfFrames", 1)), made.Rows, made.Columns
            return np.frombuffer(made.FloatPixelData, "<f4").reshape(shape)
        except (OSError, ValueError, AttributeError, InvalidDicomError):
            raise InputError(f"{file} holds no intervals: write them anew.") from None

    def frame(number: int) -> NDArray[np.float32]:
        place = source.places[number]
        file = path if path.is_file() else path / source.instances[place.instance].path.name
        return np.asarray(read(file)[place.frame])

    return frame


def _geometry_shared(derived: Dataset) -> Dataset:
    """A copy whose frames share orientation and size of pixels, where highdicom looks for them."""
    source = copy.copy(derived)
    frames = source.get("PerFrameFunctionalGroupsSequence")
    if frames:
        shared = copy.copy((source.get("SharedFunctionalGroupsSequence") or [Dataset()])[0])
        for keyword in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
            if keyword not in shared and keyword in frames[0]:
                shared[keyword] = frames[0][keyword]
        source.SharedFunctionalGroupsSequence = [shared]
    return source


def _mapping(
    derived: Dataset, half_width: NDArray[np.float32], coverage: float
) -> highdicom.pm.RealWorldValueMapping:
    import highdicom

    hounsfield = derived.get("RescaleType") == "HU" or derived.get("Modality") == "CT"
    return highdicom.pm.RealWorldValueMapping(
        lut_label="INTERVAL",
        lut_explanation=f"Half-width of the {coverage:.0%} interval",
        unit=_HOUNSFIELD if hounsfield else _ARBITRARY,
        value_range=(0.0, float(half_width.max()) or 1.0),
        slope=1.0,
        intercept=0.0,
    )


def _window(half_width: NDArray[np.float32]) -> highdicom.VOILUTTransformation:
    import highdicom

    width = float(np.percentile(half_width, 99)) or 1.0
    return highdicom.VOILUTTransformation(window_center=round(width / 2, 6), window_width=round(width, 6))


def _said_of_frame(derived: Dataset) -> str:
    """How an image with functional groups was derived: alike in all of its frames."""
    return str(derived.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[-1].DerivationDescription)


def _settle(made: Dataset, derived: Dataset, provenance: Provenance) -> None:
    """Take out, in place, what would be another at each run, and add what is missing."""
    said = derived.get("DerivationDescription") or _said_of_frame(derived)
    for groups in made.PerFrameFunctionalGroupsSequence:
        for item in groups.get("DerivationImageSequence") or ():
            item.DerivationDescription = said
    organization = derived_uid(derived.SOPInstanceUID, "dimensions", provenance)
    for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in made.get(keyword) or ():
            item.DimensionOrganizationUID = organization
    for keyword in ("InstanceCreationDate", "InstanceCreationTime"):
        if keyword in made:
            delattr(made, keyword)
    for item in made.get("ContributingEquipmentSequence") or ():
        if "ContributionDateTime" in item:
            del item.ContributionDateTime
    if "Laterality" not in made:
        made.Laterality = derived.get("Laterality", "")
    for part in ("Date", "Time"):
        known = (derived.get(f"{kind}{part}") for kind in ("Content", "Series", "Study"))
        made[f"Content{part}"].value = next(filter(None, known), "")
