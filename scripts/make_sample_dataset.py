"""Make the embedded sample, `monai_sr/sample/`, from files that nilearn and pydicom carry.

    python scripts/make_sample_dataset.py [FOLDER]

The same packages give the same arrays and headers each time.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import uuid
from importlib.resources import files
from pathlib import Path

import nibabel as nib
import numpy as np
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from monai_sr.sample import sample_dataset_dir
from monai_sr.splitting import Datalist, datalist_json

TEMPLATE = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
# The brain's box in the template, rounded up to multiples of 32 voxels; each slab is 8 mm from the next.
RIGHT, ANTERIOR = slice(18, 178), slice(21, 213)
SLABS = {"training": slice(36, 76), "validation": slice(84, 96), "test": slice(104, 116)}
GREY_LEVEL_STEP = 16  # the template's 0 to 255 become 0 to 4080, within 12 bits
BITS_STORED = 12
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_template() -> nib.Nifti1Image:
    """T1-weighted average of 152 heads: uint8, 1 mm, voxel axes along right, anterior, superior."""
    return nib.Nifti1Image.from_bytes(gzip.decompress((files("nilearn") / TEMPLATE).read_bytes()))


def cut_slab(template: nib.Nifti1Image, axial: slice) -> nib.Nifti1Image:
    """One slab as int16, its affine moved so that every voxel keeps its place in mm."""
    slab = template.slicer[RIGHT, ANTERIOR, axial]
    image = nib.Nifti1Image(np.asarray(slab.dataobj, np.int16) * GREY_LEVEL_STEP, slab.affine)
    image.set_sform(slab.affine, code="mni")
    image.set_qform(slab.affine, code="mni")
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"ICBM 152 2009a T1, slab; (C) L Collins, McGill"
    return image


def write_nifti(image: nib.Nifti1Image, path: Path) -> None:
    """Compress without a time stamp, so that the same image gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=9, mtime=0))


def make_uid(name: str) -> UID:
    """The same UID for the same name, under the root that needs no registration."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, f'https://monai-sr.example/sample/{name}').int}")


def make_series(slab: nib.Nifti1Image) -> list[Dataset]:
    """The slab as classic MR images, patient's right on the image's left as a scanner shows it."""
    # DICOM's columns run to the left and its rows to the back: both in-plane axes are reversed.
    rows_from_nifti = np.asarray(slab.dataobj)[::-1, ::-1, :].transpose(2, 1, 0).astype(np.uint16)
    last_row, last_column = slab.shape[1] - 1, slab.shape[0] - 1
    datasets = []
    for index, pixels in enumerate(rows_from_nifti):
        position = RAS_TO_LPS @ slab.affine @ [last_column, last_row, index, 1]
        datasets.append(_make_slice(pixels, position[:3], number=index + 1))
    return datasets


def _make_slice(pixels: np.ndarray, position: np.ndarray, number: int) -> Dataset:
    dataset = Dataset()
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = make_uid(f"instance/{number}")
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = "20090101"
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "000000"
    dataset.AccessionNumber = ""
    dataset.Modality = "MR"
    dataset.Manufacturer = "monai-sr"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "ICBM 152 average head"
    dataset.SeriesDescription = "T1 axial slab"
    dataset.DerivationDescription = "Average of 152 heads, cropped; (C) 1993-2009 Louis Collins, McGill"
    dataset.PatientName = "Average^Head"
    dataset.PatientID = "MNI152"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = ""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "An average of 152 people describes none of them"
    dataset.BodyPartExamined = "BRAIN"
    dataset.ScanningSequence = "GR"
    dataset.SequenceVariant = "MP"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "3D"
    dataset.SliceThickness = 1
    dataset.RepetitionTime = None
    dataset.EchoTime = None
    dataset.EchoTrainLength = None
    dataset.SpacingBetweenSlices = 1
    dataset.PatientPosition = "HFS"
    dataset.StudyInstanceUID = make_uid("study")
    dataset.SeriesInstanceUID = make_uid("series")
    dataset.StudyID = "1"
    dataset.SeriesNumber = 1
    dataset.AcquisitionNumber = 1
    dataset.InstanceNumber = number
    dataset.ImagePositionPatient = position.tolist()
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.FrameOfReferenceUID = make_uid("frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.SliceLocation = float(position[2])
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelSpacing = [1, 1]
    dataset.BitsAllocated = 16
    dataset.BitsStored = BITS_STORED
    dataset.HighBit = BITS_STORED - 1
    dataset.PixelRepresentation = 0
    dataset.WindowCenter = 2048
    dataset.WindowWidth = 4096
    dataset.PixelData = pixels.astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = make_uid("implementation")
    dataset.file_meta.ImplementationVersionName = "MONAI_SR_SAMPLE"
    return dataset


def make_sample(folder: Path) -> None:
    """Write the NIfTI slabs, both DICOM folders and the datalist below `folder`."""
    template = read_template()
    datalist: Datalist = {}
    for part, axial in SLABS.items():
        label = f"nifti/mni152_{part}.nii.gz"
        write_nifti(cut_slab(template, axial), folder / label)
        datalist[part] = [{"label": label, "patient": f"slab-{part}"}]
    (folder / "datalist.json").write_text(datalist_json(datalist, folder, folder), encoding="utf-8")

    series = folder / "dicom" / "mni152_test"
    series.mkdir(parents=True, exist_ok=True)
    for dataset in make_series(cut_slab(template, SLABS["test"])):
        dataset.save_as(series / f"{dataset.InstanceNumber:04d}.dcm", enforce_file_format=True)

    single = folder / "dicom" / "mr_small"
    single.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(get_testdata_file("MR_small.dcm"), single / "MR_small.dcm")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=sample_dataset_dir())
    make_sample(parser.parse_args().folder)
