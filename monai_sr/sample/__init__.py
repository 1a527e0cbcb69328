"""The embedded smoke-test dataset: slabs of an averaged head as NIfTI and as one DICOM series."""

from __future__ import annotations

from pathlib import Path


def sample_dataset_dir() -> Path:
    """Folder that holds `datalist.json` and the NIfTI files that it names.

    Returns:
        Existing folder, inside the installed package.

    Example:
        >>> (sample_dataset_dir() / "datalist.json").is_file()
        True
    """
    return Path(__file__).parent


def sample_series_dir() -> Path:
    """Folder of one axial MR series in DICOM, a part of the dataset's test slab.

    Returns:
        Existing folder, inside the installed package, with a file for each slice.

    Example:
        >>> len(list(sample_series_dir().glob("*.dcm")))
        12
    """
    return sample_dataset_dir() / "dicom" / "mni152_test"
