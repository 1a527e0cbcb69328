"""Report how a derived DICOM series stands beside its source: what validators newly say, and what they miss.

Needs dciodvfy and dcentvfy (Debian's dicom3tools) and dcmftest (dcmtk). Exit code 0 if nothing is wrong, 1
if something is, 2 if a tool or an input is missing, or the derived images are Secondary Capture and their
source is not, which cannot be compared. No value of a patient is printed.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.misc import is_dicom
from pydicom.uid import SecondaryCaptureImageStorage

from monai_sr.geometry import scale_image_position
from monai_sr.io.dicom_frames import SPACING_KEYWORDS, parse_frames
from monai_sr.io.dicom_header import quiet_pydicom

TOOLS = ("dciodvfy", "dcentvfy", "dcmftest")
FALSE_ALARMS = {
    r"Attribute present when condition unsatisfied .*Module=<MRPulseSequence>": (
        "pulse sequence attributes may stay in a derived Enhanced MR image"
    ),
}
"""Pattern of a complaint of dciodvfy -> why it is none."""

SAME = (
    *(
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "StudyInstanceUID",
        "StudyDate",
        "AccessionNumber",
    ),
    *("FrameOfReferenceUID", "Modality", "SOPClassUID", "SamplesPerPixel", "PhotometricInterpretation"),
    *(
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "NumberOfFrames",
        "Laterality",
        "BodyPartExamined",
    ),
)
NEW = ("SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber")
POSITION_TOLERANCE = 1e-3  # mm: a DS value has at most 16 characters
Pair = tuple[FileDataset, FileDataset]


def images(path: Path) -> list[Path]:
    """DICOM files of a file or folder."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return [file for file in files if is_dicom(file) and file.name != "DICOMDIR"]


def iod_errors(files: Iterable[Path]) -> set[str]:
    """Distinct errors of dciodvfy, without the numbers of items, which name the very instance."""
    errors = set()
    for file in files:
        result = _run("dciodvfy", "-new", file)
        lines = (result.stdout + result.stderr).splitlines()
        errors |= {re.sub(r"\[[0-9]*\]", "[]", line) for line in lines if line.startswith("Error")}
    return errors


def new_iod_errors(source: Iterable[Path], derived: Iterable[Path]) -> set[str]:
    """Errors of dciodvfy that a derived series has and its source has not, without the known false alarms."""
    new = iod_errors(derived) - iod_errors(source)
    return {error for error in new if not any(re.search(pattern, error) for pattern in FALSE_ALARMS)}


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, errors="replace", check=False
    )


def pairs(source: list[Path], derived: list[Path]) -> Iterator[Pair]:
    """Each derived image with the source that it refers to.

    Args:
        source: files.
        derived: files.

    Yields:
        Source and derived dataset.

    Raises:
        LookupError: if a derived image refers to none of the sources.
    """
    by_uid = {_uid(dcmread(file, stop_before_pixels=True)): file for file in source}
    for file in derived:
        image = dcmread(file)
        uids = [str(item.ReferencedSOPInstanceUID) for item in references(image)]
        origin = next((by_uid[uid] for uid in uids if uid in by_uid), None)
        if origin is None:
            raise LookupError(f"{file} refers to none of the source images")
        yield dcmread(origin), image


def _uid(image: FileDataset) -> str:
    """SOPInstanceUID, of the file meta information where the image itself has none."""
    return str(image.get("SOPInstanceUID") or image.file_meta.get("MediaStorageSOPInstanceUID", ""))


def references(image: Dataset) -> list[Dataset]:
    """References to source images, of the image or of its frames."""
    frames = list(image.get("PerFrameFunctionalGroupsSequence") or ())
    derivations = [item for groups in frames for item in groups.get("DerivationImageSequence") or ()]
    return [
        reference for holder in (image, *derivations) for reference in holder.get("SourceImageSequence") or ()
    ]


def identity(source: FileDataset, derived: FileDataset) -> Iterator[str]:
    """What must be the same is, what must be new is."""
    yield from (f"{keyword} changed" for keyword in SAME if source.get(keyword) != derived.get(keyword))
    yield from (
        f"{keyword} is the source's" for keyword in NEW if source.get(keyword) == derived.get(keyword)
    )


def description(source: FileDataset, derived: FileDataset) -> Iterator[str]:
    """It says that it is derived, and from what."""
    types = [derived.get("ImageType")]
    types += [element.value for element in derived.iterall() if element.keyword == "FrameType"]
    if any(not value or value[0] != "DERIVED" for value in types):
        yield "ImageType or FrameType is not DERIVED"
    if any(reference.get("SpatialLocationsPreserved") != "NO" for reference in references(derived)):
        yield "a reference does not say that pixels have moved"
    if not any(item.get("SoftwareVersions") for item in derived.get("ContributingEquipmentSequence") or ()):
        yield "the software is not named in ContributingEquipmentSequence"


def leftovers(source: FileDataset, derived: FileDataset) -> Iterator[str]:
    """Nothing is left that holds for the source's pixels alone."""
    for element in derived.iterall():
        if element.tag.is_private:
            yield "a private attribute was left"
        if element.tag.group >> 8 in (0x50, 0x60):
            yield "an overlay or curve was left"
        if element.keyword in ("IconImageSequence", "DigitalSignaturesSequence", "SmallestImagePixelValue"):
            yield f"{element.keyword} was left"


def grid(source: FileDataset, derived: FileDataset) -> Iterator[str]:
    """Size, spacing and position are those of the finer grid over the same field of view."""
    factor, rest = divmod(derived.Rows, source.Rows)
    if rest or derived.Columns != factor * source.Columns or factor < 1:
        yield "rows and columns are not the source's times an integer"
        return
    for before, after in zip(
        parse_frames(source, Path("source")), parse_frames(derived, Path("derived")), strict=True
    ):
        if before.spacing and after.spacing:
            if not np.allclose(np.multiply(after.spacing, factor), before.spacing, rtol=1e-6):
                yield "pixel spacing is not the source's divided by the scale"
        elif before.spacing:
            yield "pixel spacing is gone"
        if before.plane and before.spacing:
            expected = scale_image_position(*before.plane, before.spacing, factor)
            if after.plane is None or np.abs(expected - after.plane.position).max() > POSITION_TOLERANCE:
                yield "ImagePositionPatient is not that of the first finer pixel"
        if (before.slope, before.intercept, before.thickness) != (
            after.slope,
            after.intercept,
            after.thickness,
        ):
            yield "rescaling or slice thickness changed"
    for keyword in SPACING_KEYWORDS:
        if (source.get(keyword) is None) != (derived.get(keyword) is None):
            yield f"{keyword} appeared or went"


def values(source: FileDataset, derived: FileDataset) -> Iterator[str]:
    """Stored values are within what BitsStored holds, and of the source's kind."""
    pixels, signed = derived.pixel_array, derived.PixelRepresentation
    least = -(2 ** (derived.BitsStored - 1)) if signed else 0
    greatest = 2 ** (derived.BitsStored - signed) - 1
    stored = pixels
    if not derived.file_meta.TransferSyntaxUID.is_compressed:
        # pydicom hides what is above BitsStored.
        stored = np.frombuffer(derived.PixelData, f"<{'i' if signed else 'u'}{derived.BitsAllocated // 8}")
    if stored.min() < least or stored.max() > greatest:
        yield "values lie beyond BitsStored"
    if (
        abs(float(pixels.mean()) - float(source.pixel_array.mean()))
        > 0.05 * float(np.ptp(source.pixel_array)) + 1
    ):
        yield "the mean value is another"


CHECKS: tuple[Callable[[FileDataset, FileDataset], Iterator[str]], ...] = (
    identity,
    description,
    leftovers,
    grid,
    values,
)


def own_findings(source: list[Path], derived: list[Path]) -> dict[str, int]:
    """What the validators are silent on -> in how many images it was found."""
    found: dict[str, int] = {}
    uids = set()
    with quiet_pydicom():
        for before, after in pairs(source, derived):
            for finding in {finding for check in CHECKS for finding in check(before, after)}:
                found[finding] = found.get(finding, 0) + 1
            if after.SOPInstanceUID in uids:
                found["a SOPInstanceUID is used twice"] = found.get("a SOPInstanceUID is used twice", 0) + 1
            uids.add(after.SOPInstanceUID)
    return found


def main() -> int:
    """Run every check and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="file or folder of the source series")
    parser.add_argument("derived", type=Path, help="file or folder of the derived series")
    arguments = parser.parse_args()
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    source, derived = images(arguments.source), images(arguments.derived)
    for path, files in ((arguments.source, source), (arguments.derived, derived)):
        missing += [] if files else [f"DICOM files in {path}"]
    if missing:
        print("Missing:", ", ".join(missing), file=sys.stderr)
        return 2
    classes = [
        {dcmread(file, specific_tags=["SOPClassUID"]).get("SOPClassUID") for file in files}
        for files in (source, derived)
    ]
    if classes[1] == {SecondaryCaptureImageStorage} != classes[0]:
        print(
            "The derived images are Secondary Capture, another class than their source: not compared",
            file=sys.stderr,
        )
        return 2
    try:
        found = own_findings(source, derived)
    except LookupError as error:
        found = {str(error): 1}
    results = {
        "dciodvfy, new errors": sorted(new_iod_errors(source, derived)),
        "dcentvfy": _complaints(_run("dcentvfy", *source, *derived)),
        "dcmftest": _complaints(_run("dcmftest", *derived)),
        "what these overlook": [f"{finding} ({count} images)" for finding, count in found.items()],
    }
    print(f"{len(source)} source files, {len(derived)} derived files")
    for name, complaints in results.items():
        print(f"{'FAIL' if complaints else 'ok  '} {name}")
        print(*(f"     {complaint}" for complaint in complaints), sep="\n", end="\n" if complaints else "")
    return int(any(results.values()))


def _complaints(result: subprocess.CompletedProcess[str]) -> list[str]:
    if result.returncode == 0:
        return []
    return [f"exit code {result.returncode}", *(result.stdout + result.stderr).splitlines()[:20]]


if __name__ == "__main__":
    sys.exit(main())
