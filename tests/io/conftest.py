"""DICOM series made in code, and a network that only repeats pixels."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    OphthalmicTomographyImageStorage,
)
from pydicom.valuerep import DSfloat

from monai_sr.geometry import scale_affine
from monai_sr.volume import Provenance

ROOT = "1.2.826.0.1.3680043.8.498.77"
SPACING = (0.9, 0.6)
STEP = 4.0


def oblique():
    """ImageOrientationPatient of a plane turned about all three axes."""
    a, b = 0.35, -0.2
    turn_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    turn_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return (turn_z @ turn_x)[:, :2].T.ravel()


def ds(values):
    return [DSfloat(float(value), auto_format=True) for value in values]


def header(modality: str, index: int, series: int, frame: np.ndarray) -> Dataset:
    """A valid MR or CT instance; frame `index` lies `index` x 4 mm along the normal."""
    image = Dataset()
    image.SpecificCharacterSet = "ISO_IR 100"
    image.SOPClassUID = MRImageStorage if modality == "MR" else CTImageStorage
    image.SOPInstanceUID = f"{ROOT}.{series}.{index + 1}"
    image.StudyInstanceUID = f"{ROOT}.1"
    image.SeriesInstanceUID = f"{ROOT}.{series}"
    image.FrameOfReferenceUID = f"{ROOT}.9"
    image.Modality = modality
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if modality == "CT" else "M"]
    for keyword in ("Study", "Series", "Acquisition", "Content", "InstanceCreation"):
        setattr(image, f"{keyword}Date", "20240102")
        setattr(image, f"{keyword}Time", "101112")
    image.PatientName, image.PatientID, image.PatientSex = "Doe^Jane", "secret-id", "F"
    image.PatientBirthDate = image.AccessionNumber = image.ReferringPhysicianName = image.StudyID = ""
    image.Manufacturer, image.ManufacturerModelName, image.PositionReferenceIndicator = "Maker", "Model", ""
    image.SeriesNumber, image.SeriesDescription = series, "T1 axial"
    # Numbers run against the position, as many scanners do.
    image.InstanceNumber = 100 - index
    image.AcquisitionNumber = 1
    image.PatientPosition = "HFS"
    orientation = oblique()
    normal = np.cross(orientation[:3], orientation[3:])
    image.ImageOrientationPatient = ds(orientation)
    image.ImagePositionPatient = ds(np.array([-30.0, 12.5, 40.25]) + index * STEP * normal)
    image.PixelSpacing = ds(SPACING)
    image.SliceThickness, image.SliceLocation = "3", DSfloat(index * STEP)
    if modality == "MR":
        image.ScanningSequence, image.SequenceVariant, image.ScanOptions = "SE", "NONE", ""
        image.MRAcquisitionType, image.EchoTime, image.RepetitionTime, image.EchoTrainLength = (
            "2D",
            "10",
            "500",
            "1",
        )
    else:
        image.KVP = "120"
        image.RescaleIntercept, image.RescaleSlope, image.RescaleType = "-1024", "1", "HU"
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns = frame.shape
    signed = frame.dtype.kind == "i"
    image.BitsAllocated = image.BitsStored = frame.dtype.itemsize * 8
    image.HighBit, image.PixelRepresentation = image.BitsStored - 1, int(signed)
    image.WindowCenter, image.WindowWidth = "500", "1000"
    return image


def save(image: Dataset, frame: np.ndarray, path: Path, syntax=ExplicitVRLittleEndian) -> Path:
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = syntax
    if image.BitsAllocated == 8:
        image.add_new("PixelData", "OB", frame.tobytes() + b"\0" * (frame.size % 2))
    else:
        image.add_new("PixelData", "OW", frame.tobytes())
    image.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def make_series(tmp_path):
    """Function that writes a series and returns its folder; `edit(dataset, index)` may change each header."""

    def make(
        frames=None,
        *,
        modality="MR",
        series=5,
        folder="source",
        edit=lambda image, index: None,
        bits=None,
        **options,
    ):
        if frames is None:
            frames = np.random.default_rng(0).integers(0, 4096, (3, 10, 12), np.uint16)
            bits = bits or 12
        target = tmp_path / folder
        target.mkdir(exist_ok=True)
        for index, frame in enumerate(frames):
            image = header(modality, index, series, frame)
            if bits:
                image.BitsStored, image.HighBit = bits, bits - 1
            edit(image, index)
            # File names run against the position, too.
            save(image, frame, target / f"{series}-{90 - index}", **options)
        return target

    return make


MULTI_FRAME = {
    "enhanced MR": EnhancedMRImageStorage,
    "enhanced CT": EnhancedCTImageStorage,
    "OPT": OphthalmicTomographyImageStorage,
    "multi-frame SC": MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
}


def group(**attributes: object) -> list[Dataset]:
    """A functional group: a sequence of one item."""
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return [item]


@pytest.fixture
def make_multi_frame(tmp_path):
    """Function that writes one file of many frames, the last of them first, and returns its path."""

    def make(frames, kind="enhanced MR", folder="source", edit=lambda image: None, **options):
        image = header("MR" if kind == "enhanced MR" else "CT", 0, 5, frames[0])
        image.SOPClassUID = MULTI_FRAME[kind]
        image.Modality = {"OPT": "OPT", "enhanced CT": "CT", "enhanced MR": "MR"}.get(kind, "OT")
        image.NumberOfFrames = len(frames)
        image.BurnedInAnnotation = "NO"
        position, orientation = image.ImagePositionPatient, image.ImageOrientationPatient
        normal = np.cross(orientation[:3], orientation[3:])
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
            delattr(image, keyword)
        if kind == "multi-frame SC":
            image.PixelSpacing = ds(SPACING)
        else:
            shared, groups = Dataset(), []
            shared.PixelMeasuresSequence = group(PixelSpacing=ds(SPACING), SliceThickness="3")
            shared.PlaneOrientationSequence = group(ImageOrientationPatient=orientation)
            for index in range(len(frames)):
                place = len(frames) - 1 - index
                item = Dataset()
                where = ds(np.array(position, float) + place * STEP * normal)
                item.PlanePositionSequence = group(ImagePositionPatient=where)
                item.FrameContentSequence = group(FrameAcquisitionNumber=place + 1)
                item.PixelValueTransformationSequence = group(
                    RescaleIntercept=str(-place), RescaleSlope="1", RescaleType="US"
                )
                groups.append(item)
            if kind in ("enhanced MR", "enhanced CT"):
                keyword = f"{image.Modality}ImageFrameTypeSequence"
                image.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
                setattr(shared, keyword, group(FrameType=image.ImageType, VolumetricProperties="VOLUME"))
            image.SharedFunctionalGroupsSequence = [shared]
            image.PerFrameFunctionalGroupsSequence = groups
        edit(image)
        target = tmp_path / folder
        target.mkdir(exist_ok=True)
        return save(image, np.asarray(frames)[::-1], target / "all.dcm", **options)

    return make


@pytest.fixture
def provenance():
    """Function from a scale factor to a provenance."""
    return lambda scale_factor=2, **others: Provenance(
        **{
            "scale_factor": scale_factor,
            "bundle": "edsr_mri",
            "bundle_version": "0.1.0",
            "weights_sha256": "ab" * 32,
            "software_version": "0.1.0",
            **others,
        }
    )


@pytest.fixture
def repeated():
    """Function that makes a volume finer by repeating pixels, as a nearest-neighbour network would."""

    def repeat(volume, scale_factor=2):
        def finer(array):
            return array.repeat(scale_factor, 1).repeat(scale_factor, 2)

        return dataclasses.replace(
            volume,
            array=finer(volume.array),
            affine=scale_affine(volume.affine, scale_factor),
        )

    return repeat
