"""Make files that attack a reader of images: DICOM above all, and the other formats that are read.

    python scripts/make_hostile_dicom.py FOLDER

FOLDER/refused/ gets files that must be refused, in one sentence, in 10 seconds and 1 GB; FOLDER/read/ those
whose values are hostile but whose image is good; FOLDER/either/ those that may be refused or not, in the same
bounds. No patient is real: every name is DOE^PLANTED and every identity PLANTED-ID-1, so that a leak is found
by that word.
"""

from __future__ import annotations

import argparse
import gzip
import os
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image
from pydicom import dcmwrite
from pydicom.config import IGNORE, settings
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MRImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    RLELossless,
)

ROWS, COLUMNS = 48, 64
UNDEFINED = 0xFFFFFFFF
FRAME = np.random.default_rng(0).integers(0, 4096, (ROWS, COLUMNS)).astype(np.uint16)
PIXELS = b"\xe0\x7f\x10\x00"
Files = Iterator[tuple[str, bytes]]
EITHER = {
    "item_longer_than_its_sequence",
    "j2k_tiles_of_a_pixel",
    "rle_leaves_the_frame",
    "spacing_huge",
    "spacing_infinite",
    "spacing_nan",
    "spacing_tiny",
}


def image(syntax: str = ExplicitVRLittleEndian, pixels: bytes | None = None, **attributes: object) -> bytes:
    """A good MR image, its attributes replaced by `attributes`, in bytes."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, "2.25.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "2.25.2", "2.25.3"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "MR", 1, 1
    dataset.PatientName, dataset.PatientID = "DOE^PLANTED", "PLANTED-ID-1"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [1, 1], 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    encapsulated = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    dataset.add_new(
        "PixelData", "OB" if encapsulated else "OW", FRAME.tobytes() if pixels is None else pixels
    )
    dataset["PixelData"].is_undefined_length = encapsulated
    file = BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def element(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    """An element in Explicit VR Little Endian, which may lie about its length."""
    long = vr in ("OB", "OW", "SQ", "UN", "UT")
    coding = "<HH2sHI" if long else "<HH2sH"
    zero = (0,) if long else ()
    return (
        struct.pack(
            coding, tag >> 16, tag & 0xFFFF, vr.encode(), *zero, len(value) if length is None else length
        )
        + value
    )


def dataset_start(data: bytes) -> int:
    """Where the dataset starts after the meta header."""
    return 144 + int(struct.unpack("<I", data[140:144])[0])


def with_element(tag: int, coded: bytes, data: bytes | None = None) -> bytes:
    """A good image whose element `tag` is `coded` instead, or which gets it before the first greater tag."""
    data = image() if data is None else data
    position = dataset_start(data)
    while True:
        group, number, vr, length = struct.unpack_from("<HH2sH", data, position)
        size = 8 + length
        if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
            size = 12 + struct.unpack_from("<I", data, position + 8)[0]
        here = group << 16 | number
        if here >= tag:
            return data[:position] + coded + data[position + (size if here == tag else 0) :]
        position += size


def with_value(keyword_tag: int, vr: str, value: bytes) -> bytes:
    """A good image with another value, valid or not, of one element."""
    return with_element(keyword_tag, element(keyword_tag, vr, value + b" " * (len(value) % 2)))


def compressed(syntax: str, codestream: bytes, **attributes: object) -> bytes:
    """An image of one encapsulated frame."""
    return image(syntax, encapsulate([codestream]), **attributes)


def coded(syntax: str) -> bytes:
    """The frame of the good image, encoded."""
    options = {
        "rows": ROWS,
        "columns": COLUMNS,
        "bits_allocated": 16,
        "bits_stored": 12,
        "samples_per_pixel": 1,
    }
    options |= {"pixel_representation": 0, "number_of_frames": 1, "photometric_interpretation": "MONOCHROME2"}
    return bytes(get_encoder(syntax).encode(FRAME, **options))


def sized_j2k(width: int, height: int, codestream: bytes | None = None) -> bytes:
    """A JPEG 2000 codestream that claims another size, of one tile."""
    data = bytearray(coded(JPEG2000Lossless) if codestream is None else codestream)
    start = data.index(b"\xff\x4f\xff\x51") + 8
    data[start : start + 32] = struct.pack(">8I", width, height, 0, 0, width, height, 0, 0)
    return bytes(data)


def box(kind: bytes, content: bytes) -> bytes:
    """A box of a JP2 file."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


def nested(depth: int, undefined_length: bool) -> bytes:
    """Sequences within sequences, coded by hand since pydicom runs out of stack."""
    starts, ends = [], []
    length = 0
    for _ in range(depth):
        claimed = UNDEFINED if undefined_length else length
        starts.append(
            struct.pack(
                "<HH2sHIHHI",
                0x0008,
                0x1140,
                b"SQ",
                0,
                UNDEFINED if undefined_length else length + 8,
                0xFFFE,
                0xE000,
                claimed,
            )
        )
        ends.append(struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0) if undefined_length else b"")
        length += 20 + len(ends[-1])
    return b"".join(reversed(starts)) + b"".join(ends)


def zeros_deflated(mebibytes: int) -> bytes:
    """So many MiB of zeros in about as many KiB, to be followed by more or by the end of the stream."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return (compressor.compress(bytes(2**20)) + compressor.flush(zlib.Z_FULL_FLUSH)) * mebibytes


def deflated(parts: list[bytes]) -> bytes:
    """A deflated dataset: its first part is deflated here, the others are already."""
    file = image(DeflatedExplicitVRLittleEndian)
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = compressor.compress(parts[0]) + compressor.flush(zlib.Z_FULL_FLUSH)
    return file[: dataset_start(file)] + first + b"".join(parts[1:]) + b"\x03\x00"


def header_attacks() -> Files:
    """Attributes, lengths and sequences that cannot be."""
    good = image()
    start, pixels = dataset_start(good), good.index(PIXELS + b"OW")
    yield "empty", b""
    yield "preamble_only", good[:132]
    yield "meta_only", good[:start]
    yield "cut_in_header", good[: start + 100]
    yield "cut_in_pixels", good[:-1000]
    yield "no_pixels", good[:pixels]
    yield "text_named_dcm", b"PLANTED text, no image"
    yield "png_named_dcm", png(struct.pack(">IIBBBBB", 64, 48, 8, 0, 0, 0, 0), b"")
    yield "pixels_before_rows", good[:start] + good[pixels:] + good[start:pixels]
    for name, value in (("zero", 0), ("most", 65535)):
        yield f"rows_{name}", image(Rows=value)
    yield "rows_and_columns_most", image(Rows=65535, Columns=65535)
    yield "rows_negative", with_value(0x00280010, "SS", struct.pack("<h", -48))
    yield "rows_several", with_value(0x00280010, "US", struct.pack("<3H", 48, 48, 48))
    yield "rows_a_name", with_value(0x00280010, "PN", b"DOE^PLANTED")
    yield "rows_a_sequence", with_element(0x00280010, element(0x00280010, "SQ", b""))
    yield "rows_of_unknown_kind", with_value(0x00280010, "ZZ", b"PLANTED")
    yield "rows_a_float", with_value(0x00280010, "FD", struct.pack("<d", np.nan))
    for name, value in (
        ("billion", "1000000000"),
        ("negative", "-3"),
        ("text", "PLANTED"),
        ("long", "9" * 60000),
    ):
        coded_frames = element(0x00280008, "IS", value.encode())
        yield f"frames_{name}", with_element(0x00280008, coded_frames)
        multi = image(SOPClassUID=MultiFrameGrayscaleWordSecondaryCaptureImageStorage)
        yield f"frames_{name}_in_class_of_many", with_element(0x00280008, coded_frames, multi)
    for keyword, value in (
        ("BitsAllocated", 0),
        ("BitsAllocated", 65528),
        ("BitsStored", 0),
        ("BitsStored", 65535),
        ("HighBit", 65535),
        ("SamplesPerPixel", 65535),
        ("PixelRepresentation", 65535),
    ):
        yield f"{keyword}_{value}", image(**{keyword: value})
    for name, value in (
        ("nan", b"nan\\nan"),
        ("infinite", b"inf\\inf"),
        ("text", b"PLANTED\\1"),
        ("zero", b"0\\0"),
        ("negative", b"-1\\1"),
        ("tiny", b"1e-320\\1"),
        ("huge", b"1e308\\1e308"),
    ):
        yield f"spacing_{name}", with_value(0x00280030, "DS", value)
    yield "orientation_flat", with_value(0x00200037, "DS", b"1\\0\\0\\1\\0\\0")
    for name, value in (("zero", b"0"), ("nan", b"nan"), ("text", b"PLANTED")):
        yield f"slope_{name}", with_value(0x00281053, "DS", value)
    yield "patient_a_float", with_value(0x00100020, "FD", b"PLANTED-ID")
    yield "padding_a_name", with_value(0x00280120, "PN", b"DOE^PLANTED")
    yield "claims_2_gb", with_element(0x00091001, element(0x00091001, "OB", b"", 2**31 - 2))
    yield "claims_4_gb", with_element(0x00091001, element(0x00091001, "UT", b"", UNDEFINED - 1))
    yield "meta_claims_2_gb", good[:start] + element(0x00020102, "OB", b"", 2**31 - 2) + good[start:]
    yield (
        "pixels_claim_4_gb",
        good[:pixels] + element(0x7FE00010, "OW", FRAME.tobytes(), UNDEFINED - 1)[:-1000],
    )
    yield "pixels_of_undefined_length", good[:pixels] + element(0x7FE00010, "OW", FRAME.tobytes(), UNDEFINED)
    yield "pixels_a_sequence", good[:pixels] + element(0x7FE00010, "SQ", nested(1, True), UNDEFINED)
    yield (
        "pixels_of_floats",
        image(pixels=b"")[:pixels] + struct.pack("<HH2sHI", 0x7FE0, 0x0008, b"OF", 0, 4) + bytes(4),
    )
    for depth in (13, 500, 20_000):
        for undefined_length in (False, True):
            name = f"nested_{depth}_{'undefined' if undefined_length else 'defined'}"
            yield name, with_element(0x00081140, nested(depth, undefined_length))
    yield (
        "nested_in_private_undefined",
        with_element(0x00091001, nested(20_000, True).replace(b"\x08\x00\x40\x11SQ", b"\x09\x00\x01\x10UN")),
    )
    yield (
        "sequence_never_closed",
        with_element(
            0x00081140, element(0x00081140, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED), UNDEFINED)
        ),
    )
    yield (
        "item_longer_than_its_sequence",
        with_element(0x00081140, element(0x00081140, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 2**31))),
    )
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 2**20
    yield "million_items", with_element(0x00081140, element(0x00081140, "SQ", items))
    yield (
        "million_items_undefined",
        with_element(
            0x00081140, element(0x00081140, "SQ", items + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0), UNDEFINED)
        ),
    )
    implicit = image(ImplicitVRLittleEndian)
    at = implicit.index(struct.pack("<HH", 0x0020, 0x0032))
    long = b"1\\" * 2**22
    yield (
        "value_of_8_mb",
        implicit[:at] + struct.pack("<HHI", 0x0020, 0x0032, len(long)) + long + implicit[at + 14 :],
    )
    elements = b"".join(struct.pack("<HHI", 0x0009 + 2 * (i >> 16), i & 0xFFFF, 0) for i in range(2**19))
    yield "half_a_million_elements", implicit[: dataset_start(implicit)] + elements
    yield (
        "syntax_unknown",
        image(ExplicitVRLittleEndian).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.x\0"),
    )
    yield "big_endian_in_name_only", good.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0")
    yield (
        "charset_unknown_and_rows_missing",
        with_value(0x00080005, "CS", b"PLANTED\\" * 2000).replace(b"\x28\0\x10\0US", b"\x28\0\x13\0US"),
    )
    yield "DICOMDIR", dicomdir()


def dicomdir() -> bytes:
    """A directory whose one image is a file of the system."""
    record = Dataset()
    record.OffsetOfTheNextDirectoryRecord, record.RecordInUseFlag = 0, 0xFFFF
    record.OffsetOfReferencedLowerLevelDirectoryEntity, record.DirectoryRecordType = 0, "IMAGE"
    record.ReferencedFileID = ["..", "..", "..", "etc", "passwd"]
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.1.3.10", "2.25.4"
    dataset.PatientName, dataset.DirectoryRecordSequence = "DOE^PLANTED", [record]
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def deflate_attacks() -> Files:
    """Small files that inflate to much."""
    good = image()
    dataset = good[dataset_start(good) :]
    blob = element(0x00091001, "OB", b"", 2**30)
    yield "deflate_bomb_in_header", deflated([blob, zeros_deflated(1024)])
    yield (
        "deflate_bomb_of_items",
        deflated([element(0x00081140, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 2**21)]),
    )
    yield (
        "deflate_bomb_in_a_sequence",
        deflated([element(0x00081140, "SQ", b"", UNDEFINED), zeros_deflated(1024)]),
    )
    pixels = dataset.index(PIXELS + b"OW")
    yield (
        "deflate_bomb_in_pixels",
        deflated([dataset[:pixels] + element(0x7FE00010, "OW", b"", 2**30), zeros_deflated(1024)]),
    )
    yield "deflate_cut", deflated([dataset])[:-2000]
    yield "deflate_garbage", deflated([dataset])[:500] + b"PLANTED" * 500


def codestream_attacks() -> Files:
    """Compressed frames that a decoder must not believe."""
    segments = struct.pack("<16I", 2, 64, 64 + 13_500, *[0] * 13)
    rle = segments + b"\x81\0" * 13_500
    yield "rle_of_27_kb_claims_65535_squared", compressed(RLELossless, rle, Rows=65535, Columns=65535)
    yield "rle_of_27_kb_claims_8192_squared", compressed(RLELossless, rle, Rows=8192, Columns=8192)
    yield "rle_leaves_the_frame", compressed(RLELossless, segments + b"\x7f" * 13_500 * 2)
    yield "rle_segments_outside", compressed(RLELossless, struct.pack("<16I", *[UNDEFINED] * 16) + rle)
    yield "rle_empty", compressed(RLELossless, bytes(2))
    yield (
        "j2k_small_claims_60000_squared",
        compressed(JPEG2000Lossless, sized_j2k(60_000, 60_000) + bytes(20_000)),
    )
    yield (
        "j2k_of_another_size",
        compressed(JPEG2000Lossless, coded(JPEG2000Lossless), Rows=8192, Columns=8192),
    )
    yield (
        "j2k_both_claim_8192_squared",
        compressed(JPEG2000Lossless, sized_j2k(8192, 8192)[:2000], Rows=8192, Columns=8192),
    )
    yield "j2k_negative", compressed(JPEG2000, sized_j2k(0, 0))
    decoy = coded(JPEG2000Lossless)[:100]
    jp2 = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ") + box(b"free", decoy)
    jp2 += box(
        b"jp2h",
        box(b"ihdr", struct.pack(">IIHBBBB", 60_000, 60_000, 1, 11, 7, 0, 0))
        + box(b"colr", b"\1\0\0\0\0\0\x11"),
    )
    yield "j2k_behind_a_decoy", compressed(JPEG2000, jp2 + box(b"jp2c", sized_j2k(60_000, 60_000)))
    tiled = bytearray(coded(JPEG2000Lossless))
    tiled[24:32] = struct.pack(">2I", 1, 1)
    yield "j2k_tiles_of_a_pixel", compressed(JPEG2000Lossless, bytes(tiled))
    channels = bytearray(coded(JPEG2000Lossless))
    channels[40:42] = struct.pack(">H", 16384)
    yield "j2k_of_16384_channels", compressed(JPEG2000Lossless, bytes(channels))
    for marker in (0xFFC0, 0xFFC1):
        frame = struct.pack(">HHBHHB3B", marker, 11, 8, 60_000, 60_000, 1, 1, 0x11, 0)
        bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
        syntax = JPEGBaseline8Bit if marker == 0xFFC0 else JPEGExtended12Bit
        yield f"jpeg_forged_{marker:x}", compressed(syntax, b"\xff\xd8" + frame + jpeg()[2:], **bits)
    yield "jpeg_cut", compressed(JPEGBaseline8Bit, jpeg()[:200], BitsAllocated=8, BitsStored=8, HighBit=7)
    yield "jpeg_of_markers_alone", compressed(JPEGLosslessSV1, b"\xff\xd8" + b"\xff" * 100_000)
    lossless = struct.pack(">HHBHHB3B", 0xFFC3, 11, 16, ROWS, COLUMNS, 1, 1, 0x11, 0)
    yield "jpeg_lossless_of_garbage", compressed(JPEGLosslessSV1, b"\xff\xd8" + lossless + b"PLANTED" * 1000)
    forged = bytearray(coded(JPEGLSLossless))
    at = forged.index(b"\xff\xf7") + 5
    forged[at : at + 4] = struct.pack(">HH", 60_000, 60_000)
    yield "jpegls_forged", compressed(JPEGLSLossless, bytes(forged))
    yield "jpegls_cut", compressed(JPEGLSLossless, coded(JPEGLSLossless)[:500])
    yield "jpeg_extended_of_12_bits", compressed(JPEGExtended12Bit, jpeg())


def encapsulation_attacks() -> Files:
    """Fragments and offset tables that lead elsewhere."""

    def fragment(content: bytes, length: int | None = None) -> bytes:
        return struct.pack("<HHI", 0xFFFE, 0xE000, len(content) if length is None else length) + content

    stream = coded(JPEGLSLossless)
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    many = {"SOPClassUID": MultiFrameGrayscaleWordSecondaryCaptureImageStorage, "NumberOfFrames": 3}
    yield (
        "fragment_of_undefined_length",
        image(JPEGLSLossless, fragment(b"") + fragment(stream, UNDEFINED) + end),
    )
    yield "fragment_of_2_gb", image(JPEGLSLossless, fragment(b"") + fragment(stream, 2**31) + end)
    yield "fragments_missing", image(JPEGLSLossless, fragment(b"") + end)
    yield "fragments_empty", image(JPEGLSLossless, fragment(b"") + fragment(b"") * 300_000 + end)
    yield "fragments_never_closed", image(JPEGLSLossless, fragment(b"") + fragment(b"") * 3)
    yield "offset_table_of_4_gb", image(JPEGLSLossless, fragment(b"", UNDEFINED - 3) + fragment(stream) + end)
    yield (
        "offset_table_outside",
        image(JPEGLSLossless, fragment(struct.pack("<3I", 0, 2**31, 7)) + fragment(stream) * 3 + end, **many),
    )
    yield (
        "offset_table_backwards",
        image(
            JPEGLSLossless, fragment(struct.pack("<3I", 5000, 100, 0)) + fragment(stream) * 3 + end, **many
        ),
    )
    tables = {
        "ExtendedOffsetTable": struct.pack("<3Q", 0, 2**63, 1),
        "ExtendedOffsetTableLengths": struct.pack("<3Q", 2**63, 2**40, 1),
    }
    yield (
        "extended_offset_table_outside",
        image(JPEGLSLossless, fragment(b"") + fragment(stream) * 3 + end, **many, **tables),
    )
    yield "frames_missing", image(JPEGLSLossless, fragment(b"") + fragment(stream) * 2 + end, **many)
    yield "not_encapsulated", image().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")


def jpeg() -> bytes:
    """A JPEG of another size than the header's."""
    file = BytesIO()
    Image.fromarray((FRAME[:40] >> 4).astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


def png(header: bytes, content: bytes, *others: tuple[bytes, bytes]) -> bytes:
    """A PNG of raw chunks."""
    chunks = ((b"IHDR", header), *others, (b"IDAT", content), (b"IEND", b""))
    coded = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(coded)


def tiff(pages: int, loop: bool = False) -> bytes:
    """A TIFF whose pages of 64 million pixels are all the same strip."""
    side = 2**13
    strip = zlib.compress(bytes(side * side))
    first = 8 + len(strip) + len(strip) % 2
    values = {256: side, 257: side, 258: 8, 259: 8, 262: 1, 273: 8, 277: 1, 278: side, 279: len(strip)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
    size = 2 + len(entries) + 4
    following = [first + size * (page + 1) for page in range(pages - 1)] + [first if loop else 0]
    folders = b"".join(
        struct.pack("<H", len(values)) + entries + struct.pack("<I", offset) for offset in following
    )
    return struct.pack("<2sHI", b"II", 42, first) + strip.ljust(first - 8, b"\0") + folders


def nifti(shape: tuple[int, ...], dtype: type = np.uint8, **fields: object) -> bytes:
    """A NIfTI header of any shape, without voxels."""
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header["dim"][: len(shape) + 1] = (len(shape), *shape)
    header["magic"], header["vox_offset"], header["pixdim"][1:4] = b"n+1", 352, 1
    header["sform_code"], header["srow_x"][0], header["srow_y"][1], header["srow_z"][2] = 1, 1, 1, 1
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + bytes(4)


def other_formats() -> Files:
    """NIfTI, PNG, TIFF, JPEG, MetaImage and NRRD that claim or inflate to too much."""
    zeros = gzip.compress(bytes(2**26))
    yield "bomb_of_4_gb.nii.gz", gzip.compress(nifti((1024, 1024, 1024), np.float32)) + zeros * 64
    yield "bomb_in_header.nii.gz", gzip.compress(nifti((8, 8, 8), vox_offset=2.0**31)) + zeros * 32
    extension = nifti((8, 8, 8), vox_offset=2.0**31)[:348] + b"\1\0\0\0" + struct.pack("<II", 2**31 - 512, 4)
    yield "bomb_in_extension.nii.gz", gzip.compress(extension) + zeros * 32
    yield "dimensions.nii", nifti((32767, 32767, 32767))
    yield "dimensions_negative.nii", nifti((-8, 8, 8)) + bytes(512)
    yield "offset_negative.nii", nifti((8, 8, 8), vox_offset=-1e30) + bytes(512)
    yield "offset_nan.nii", nifti((8, 8, 8), vox_offset=np.nan) + bytes(512)
    yield "cut.nii", nifti((100, 100, 100))
    yield "affine_nan.nii", nifti((8, 8, 8), srow_x=np.nan) + bytes(512)
    yield "text.nii.gz", b"PLANTED"
    huge = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    yield "size.png", png(huge, zlib.compress(bytes(1000)))
    yield (
        "text_bomb.png",
        png(
            struct.pack(">IIBBBBB", 64, 48, 8, 0, 0, 0, 0),
            b"",
            (b"zTXt", b"PLANTED\0\0" + b"\x78\xda" + zeros_deflated(256) + b"\x03\0"),
        ),
    )
    yield "bomb.tif", tiff(31)
    yield "loop.tif", tiff(1, loop=True)[:-4] + struct.pack("<I", 2**31)
    forged = jpeg()
    at = forged.index(b"\xff\xc0") + 5
    yield "size.jpg", forged[:at] + struct.pack(">HH", 65_500, 65_500) + forged[at + 4 :]
    meta = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nElementSpacing = 1 1 1\nElementType = MET_UCHAR\n"
    )
    yield "size.mha", f"{meta}DimSize = 60000 60000 60000\nElementDataFile = LOCAL\n".encode()
    bomb = f"{meta}CompressedData = True\nDimSize = 1024 1024 1024\nElementDataFile = LOCAL\n"
    yield "bomb.mha", bomb.encode() + b"\x78\xda" + zeros_deflated(1024) + b"\x03\0"
    yield "file_elsewhere.mhd", f"{meta}DimSize = 8 8 4\nElementDataFile = /etc/passwd\n".encode()
    nrrd = "NRRD0004\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\n"
    nrrd += "space directions: (1,0,0) (0,1,0) (0,0,1)\n"
    yield "size.nrrd", f"{nrrd}sizes: 60000 60000 60000\nencoding: raw\n\n".encode()
    yield "file_elsewhere.nrrd", f"{nrrd}sizes: 8 8 4\nencoding: raw\ndata file: /etc/passwd\n\n".encode()


def harmless() -> Files:
    """Good images whose values, or what stands before and after them, are hostile."""
    yield (
        "uids_are_paths",
        image(SOPInstanceUID="1.2.3", StudyInstanceUID="1.2")
        .replace(b"2.25.3\0", b"../../x")
        .replace(b"1.2.3\0", b"../../"),
    )
    escapes = "\x1b]0;PLANTED\x07\x1b[2J"
    yield (
        "values_are_paths_for_a_terminal",
        image(SeriesDescription=f"../../{escapes}", PatientComments=escapes),
    )
    yield "charset_unknown", with_value(0x00080005, "CS", b"PLANTED")
    yield "date_of_text", with_value(0x00080020, "DA", b"PLANTED!")
    yield "preamble_of_a_program", b"\x7fELF" + bytes(124) + image()[128:]
    yield "long_trailing", image() + element(0xFFFCFFFC, "OB", bytes(2**22))
    good = image()
    dataset = good[dataset_start(good) :]
    yield (
        "deflate_bomb_behind_the_pixels",
        deflated([dataset + element(0xFFFCFFFC, "OB", b"", 2**30), zeros_deflated(1024)]),
    )
    yield "big_endian", image(ExplicitVRBigEndian, FRAME.byteswap().tobytes())


def make(folder: Path) -> None:
    """Write every file below a folder.

    Args:
        folder: is made; gets `refused`, `read` and `either`.
    """
    refused, read, either = folder / "refused", folder / "read", folder / "either"
    for target in (refused, read, either):
        target.mkdir(parents=True, exist_ok=True)
    attacks = (header_attacks, deflate_attacks, codestream_attacks, encapsulation_attacks, other_formats)
    for attack in attacks:
        for name, data in attack():
            suffixed = name if "." in name or name == "DICOMDIR" else f"{name}.dcm"
            (either if name in EITHER else refused).joinpath(suffixed).write_bytes(data)
    for name, data in harmless():
        (read / f"{name}.dcm").write_bytes(data)
    with (refused / "pixels_of_4_gb_in_one_fragment.dcm").open("wb") as file:
        coded = compressed(RLELossless, bytes(2))
        start = coded.rindex(PIXELS)
        file.write(
            coded[:start]
            + element(
                0x7FE00010,
                "OB",
                struct.pack("<HHIHHI", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE000, UNDEFINED - 1),
                UNDEFINED,
            )
        )
        file.truncate(2**32)  # takes no disk where files may have holes
    (refused / "loop.dcm").unlink(missing_ok=True)
    (refused / "loop.dcm").symlink_to("loop.dcm")
    if Path("/dev/zero").exists():
        (refused / "device.dcm").unlink(missing_ok=True)
        (refused / "device.dcm").symlink_to("/dev/zero")
    if hasattr(os, "mkfifo"):
        for name in ("pipe.dcm", "pipe.nii", "pipe.png"):
            (refused / name).unlink(missing_ok=True)
            os.mkfifo(refused / name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="Folder to fill.")
    settings.reading_validation_mode = settings.writing_validation_mode = IGNORE  # the values are to be wrong
    make(parser.parse_args().folder)
