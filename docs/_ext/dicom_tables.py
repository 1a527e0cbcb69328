"""Tables of the DICOM conformance statement, made of the constants by which the software reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder
from pydicom.tag import Tag
from pydicom.uid import UID, AllTransferSyntaxes, JPEGExtended12Bit

from monai_sr import __version__
from monai_sr.io import (
    decode_worker,
    dicom_capture,
    dicom_derive,
    dicom_file,
    dicom_frames,
    dicom_header,
    dicom_provenance,
    dicom_writer,
    open_volume,
)
from monai_sr.io.dicom_types import DicomSource
from monai_sr.sample import sample_series_dir
from monai_sr.volume import MAX_FRAME_PIXELS, MAX_VOXELS, Provenance

LONGEST_VALUE = 70
"""Characters of a value that are shown."""


def storage_classes() -> str:
    """Each SOP class that is read and written, and the image type of what is derived."""
    kinds = (
        ("single", dicom_header.SINGLE_FRAME_CLASSES),
        ("several", dicom_header.MULTI_FRAME_CLASSES),
        ("several, functional groups", dicom_header.ENHANCED_CLASSES),
    )
    rows = []
    for frames, classes in kinds:
        for uid in classes:
            if uid in dicom_header.ENHANCED_CLASSES:
                image_type = dicom_provenance._enhanced_type(["ORIGINAL", "PRIMARY", "*"], uid)
            else:
                image_type = dicom_provenance._IMAGE_TYPES[uid]
            rows.append((_named(uid), frames, "`" + "\\".join(image_type) + "`"))
    return _table(("SOP class", "frames", "ImageType of the derived image"), rows)


def read_syntaxes() -> str:
    """Each transfer syntax whose pixels are decoded."""
    rows = []
    for uid in AllTransferSyntaxes:
        try:
            decoder = get_decoder(uid)
        except NotImplementedError:
            continue
        if not decoder.is_available:
            continue
        notes = []
        if uid == JPEGExtended12Bit:
            notes.append("BitsStored up to 8 only")
        if uid in dicom_provenance._ALWAYS_LOSSY:
            notes.append("the derived image gets LossyImageCompression 01")
        rows.append((_named(uid), "; ".join(notes)))
    return _table(("transfer syntax", "remark"), rows)


def written_syntaxes() -> str:
    """Each transfer syntax that is written, by the option that asks for it."""
    rows = [
        (f"`--transfer-syntax {name}`", _named(uid)) for name, uid in dicom_writer.TRANSFER_SYNTAXES.items()
    ]
    return _table(("option", "transfer syntax"), rows)


def changed_attributes() -> str:
    """What differs between a slice of the embedded sample and what is derived from it, x2."""
    source = open_volume(sample_series_dir()).source
    if not isinstance(source, DicomSource):
        raise TypeError("the embedded sample is no DICOM")
    provenance = Provenance(2, "edsr_mri", "0.1.0", "0" * 64, __version__)
    instance = source.instances[0]
    series = dicom_derive.derive_series(source, provenance)
    derived = dicom_derive.derive_header(instance, series, provenance)
    before = _values(instance.header)
    rows = []
    for tag, value in _values(derived).items():
        if before.get(tag) != value:
            change = "changed" if tag in before else "added"
            rows.append((f"`{keyword_for_tag(tag)}`", f"{Tag(tag)}", change, f"`{value}`" if value else ""))
    return _table(("attribute", "tag", "what happens", "value"), rows)


def removed_attributes() -> str:
    """What is never taken over."""
    rows = [(f"`{keyword_for_tag(tag)}`", f"{tag}") for tag in sorted(dicom_derive._STALE)]
    return _table(("attribute", "tag"), rows)


def captured_attributes() -> str:
    """What a Secondary Capture image takes over from its source."""
    keywords = (*dicom_capture._KEPT, *dicom_capture._VIEW)
    return ", ".join(f"`{keyword}`" for keyword in sorted(keywords, key=tag_for_keyword)) + ".\n"


def codes() -> str:
    """Codes that say what an image is derived by, from and with."""
    used = (
        ("DerivationCodeSequence", dicom_provenance._RESAMPLING),
        ("SourceImageSequence, PurposeOfReferenceCodeSequence", dicom_provenance._SOURCE_IMAGE),
        ("ContributingEquipmentSequence, of the scanner", dicom_provenance._ACQUISITION),
        ("ContributingEquipmentSequence, of monai-sr", dicom_provenance._PROCESSING),
    )
    rows = [(place, code.value, code.scheme_designator, code.meaning) for place, code in used]
    return _table(("where", "code", "scheme", "meaning"), rows)


def bounds() -> str:
    """What is refused for its size."""
    mebibyte = 2**20
    rows = (
        ("header of a file", f"{dicom_file.HEADER_BYTES // mebibyte} MiB"),
        ("header of a deflated file", f"{dicom_file.DEFLATED_HEADER_BYTES // mebibyte} MiB"),
        ("nested sequences", f"{dicom_file.DEEPEST} deep"),
        ("frames of a file", f"{dicom_frames.MAX_FRAMES:,}"),
        ("pixels of a frame", f"{MAX_FRAME_PIXELS:,}"),
        ("pixels of a series", f"{MAX_VOXELS:,}"),
        ("memory of the process that decodes", f"{decode_worker.MEMORY / 2**30:g} GiB"),
        ("rows or columns of a derived image", f"{dicom_writer._MAX_ROWS:,}"),
        ("pixel data of a derived file", f"{dicom_writer._MAX_LENGTH:,} bytes"),
    )
    return _table(("what", "at most"), rows)


def implementation() -> str:
    """How written files name the implementation."""
    derived = Dataset()
    derived.SOPClassUID = dicom_header.SINGLE_FRAME_CLASSES[0]
    dicom_derive.identify(derived, "2.25.1", dicom_derive.DerivedSeries("2.25.2", "2.25.3", 1, "", "", ""))
    rows = [
        (f"`{keyword}`", f"`{derived.file_meta.get(keyword)}`")
        for keyword in ("ImplementationClassUID", "ImplementationVersionName")
    ]
    return _table(("file meta information", "value"), rows)


def _named(uid: str) -> str:
    return f"{UID(uid).name}, `{uid}`"


def _values(dataset: Dataset) -> dict[int, str]:
    """A text for each attribute; of a sequence the items' own attributes."""
    values = {}
    for element in dataset:
        if element.VR == "SQ":
            text = " | ".join(
                ", ".join(f"{inner.keyword} {inner.value}" for inner in item if inner.VR != "SQ")
                for item in element.value
            )
        else:
            text = "\\".join(map(str, element.value)) if element.VM > 1 else str(element.value)
        values[int(element.tag)] = text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
    return values


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [titles, ("---",) * len(titles), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


TABLES: dict[str, Callable[[], str]] = {
    made.__name__: made
    for made in (
        *(storage_classes, read_syntaxes, written_syntaxes, changed_attributes, removed_attributes),
        *(captured_attributes, codes, bounds, implementation),
    )
}
"""Name of the fragment -> what makes it."""
