"""Intervals as Parametric Maps: valid, in place, and beside the images that they are of."""

from __future__ import annotations

import dataclasses

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ComputedRadiographyImageStorage, ParametricMapStorage

from monai_sr.errors import InputError
from monai_sr.intervals import Intervals
from monai_sr.io import DicomOutput, open_volume, read_intervals, read_volume, write_volume
from tests.io.test_validators import iod_errors, run

COVERAGE = 0.9


def with_intervals(volume):
    """Half-widths that tell frame and pixel."""
    intervals = Intervals(COVERAGE, "kspace")
    shape = volume.array.shape[1:]
    for index in range(len(volume.array)):
        half_width = (np.arange(np.prod(shape)).reshape(shape) + 10000 * index).astype(np.float32) / 7
        intervals.put(index, half_width, np.zeros(shape, bool))
    return dataclasses.replace(volume, intervals=intervals)


@pytest.fixture
def written(make_series, make_multi_frame, repeated, provenance, tmp_path):
    """Function from a kind of DICOM to the finer volume, the derived files and their maps."""

    def write(kind, *, out="derived", edit=lambda image, index: None, make=make_multi_frame):
        frames = np.random.default_rng(0).integers(0, 4096, (3, 16, 20), np.uint16)
        if kind in ("enhanced MR", "enhanced CT", "OPT", "multi-frame SC"):
            folder = make(frames, kind).parent
        else:
            folder = make_series(frames, modality=kind if kind != "CR" else "CT", bits=12, edit=edit)
        finer = with_intervals(repeated(read_volume(folder)))
        target, maps = tmp_path / out, tmp_path / f"{out}.interval"
        write_volume(finer, target, provenance(), intervals=maps)
        return finer, sorted(target.iterdir()), sorted(maps.iterdir())

    return write


def as_projection(image, index):
    image.SOPClassUID, image.Modality = ComputedRadiographyImageStorage, "CR"
    image.ImagerPixelSpacing = image.PixelSpacing
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceLocation"):
        delattr(image, keyword)
    del image.FrameOfReferenceUID


def without_frame_of_reference(image, index):
    del image.FrameOfReferenceUID


EDITS = {"CR": as_projection, "CT": without_frame_of_reference}


@pytest.mark.parametrize("kind", ["MR", "CT", "CR", "enhanced MR", "enhanced CT"])
def test_maps_are_valid_and_refer_to_the_derived_images(written, require_tool, kind):
    finer, derived, maps = written(kind, edit=EDITS.get(kind, lambda image, index: None))
    assert [path.name for path in derived] == [path.name for path in maps]
    assert iod_errors(require_tool("dciodvfy"), maps) == set()
    assert run(require_tool("dcentvfy"), *derived, *maps).returncode == 0
    again = finer.source.places
    for number, (image, path) in enumerate(zip(map(dcmread, derived), maps, strict=True)):
        found = dcmread(path)
        assert found.SOPClassUID == ParametricMapStorage
        assert found.StudyInstanceUID == image.StudyInstanceUID
        assert found.SeriesInstanceUID != image.SeriesInstanceUID
        assert found.PatientID == image.PatientID
        sources = found.ReferencedSeriesSequence[0]
        assert sources.SeriesInstanceUID == image.SeriesInstanceUID
        (reference,) = sources.ReferencedInstanceSequence
        assert reference.ReferencedSOPInstanceUID == image.SOPInstanceUID
        own = sorted((place.frame, index) for index, place in enumerate(again) if place.instance == number)
        pixels = found.pixel_array.reshape(len(own), *finer.array.shape[1:])
        expected = with_intervals(finer).intervals
        np.testing.assert_array_equal(pixels, [expected.take(index) for _, index in own])
    if kind not in EDITS:
        for image, path in zip(derived, maps, strict=True):
            of_image, of_map = (highdicom.imread(file).get_volume_geometry() for file in (image, path))
            np.testing.assert_allclose(of_map.affine, of_image.affine)


@pytest.mark.parametrize("kind", ["MR", "CR", "enhanced MR"])
def test_maps_are_read_again_frame_by_frame(written, kind, tmp_path):
    finer, _, maps = written(kind, edit=EDITS.get(kind, lambda image, index: None))
    expected, again = with_intervals(finer).intervals, open_volume(tmp_path / "derived")
    found = read_intervals(again, tmp_path / "derived.interval")
    assert found.shape == finer.array.shape
    for index in (2, 0, 1):
        np.testing.assert_array_equal(found[index], expected.take(index))
    for path in maps:
        path.write_bytes(b"torn")
    torn = read_intervals(again, tmp_path / "derived.interval")
    with pytest.raises(InputError, match=r"0000\d\.dcm holds no intervals"):
        torn[0]


@pytest.mark.parametrize("left", ["the rest", "nothing"])
def test_frames_need_not_share_what_they_have_in_common(written, make_multi_frame, require_tool, left):
    geometry = ("PixelMeasuresSequence", "PlaneOrientationSequence")

    def apart(*arguments):
        path = make_multi_frame(*arguments)
        image = dcmread(path)
        shared = image.SharedFunctionalGroupsSequence[0]
        for keyword in geometry if left == "the rest" else shared.dir():
            for groups in image.PerFrameFunctionalGroupsSequence:
                groups[keyword] = shared[keyword]
            del shared[keyword]
        if left == "nothing":
            image.SharedFunctionalGroupsSequence = []
        image.save_as(path)
        return path

    finer, _, (path,) = written("enhanced MR", make=apart)
    assert iod_errors(require_tool("dciodvfy"), [path]) == set()
    affine = highdicom.imread(path).get_volume_geometry().affine
    np.testing.assert_allclose(np.linalg.norm(affine[:3, 1:3], axis=0), finer.spacing[:2])


def test_a_second_run_writes_the_same_bytes(written):
    first, second = (written("MR", out=name)[2] for name in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_half_widths_of_hounsfield_units_say_so(written):
    _, _, (path, *_) = written("CT")
    groups = dcmread(path).SharedFunctionalGroupsSequence[0]
    unit = groups.RealWorldValueMappingSequence[0].MeasurementUnitsCodeSequence[0]
    assert unit.CodeValue == "[hnsf'U]"


def test_frames_without_a_place_are_refused_before_anything_is_written(written, tmp_path):
    with pytest.raises(InputError, match=r"all\.dcm does not say where its frames lie"):
        written("multi-frame SC")
    assert not (tmp_path / "derived").exists()


def test_a_secondary_capture_is_refused(make_series, repeated, provenance, tmp_path):
    finer = with_intervals(repeated(read_volume(make_series())))
    with pytest.raises(InputError, match="Secondary Capture has no place for intervals"):
        write_volume(
            finer,
            tmp_path / "out",
            provenance(),
            False,
            DicomOutput(secondary_capture=True),
            tmp_path / "maps",
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_neither_images_nor_maps_are_there_where_one_fails(make_series, repeated, provenance, tmp_path):
    finer = with_intervals(repeated(read_volume(make_series())))
    finer.intervals.take(2)
    with pytest.raises(KeyError):
        write_volume(finer, tmp_path / "out", provenance(), intervals=tmp_path / "maps")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_single_file_has_a_single_map(make_series, repeated, provenance, tmp_path):
    frames = np.random.default_rng(0).integers(0, 4096, (1, 8, 10), np.uint16)
    finer = with_intervals(repeated(read_volume(make_series(frames, bits=12))))
    write_volume(finer, tmp_path / "one.dcm", provenance(), intervals=tmp_path / "one.interval.dcm")
    assert dcmread(tmp_path / "one.interval.dcm").SOPClassUID == ParametricMapStorage


def test_a_map_is_not_taken_for_an_image(written):
    *_, maps = written("MR")
    with pytest.raises(InputError, match=r"is a parametric map, as monai-sr's intervals are"):
        read_volume(maps[0])
