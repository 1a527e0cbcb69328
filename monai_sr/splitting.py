"""Split a dataset into training, validation and test parts so that no patient is in two of them."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import math
import os
import random
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from monai_sr.errors import InputError

_logger = logging.getLogger(__name__)

Datalist = dict[str, list[dict[str, str]]]

PARTS = ("training", "validation", "test")
SPLIT_NAMES = {
    "train": "training",
    "training": "training",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}
IMAGE_SUFFIXES = (".nii.gz", ".nii", ".png", ".tif", ".tiff", ".jpg", ".jpeg")
BIDS_SUBJECT = re.compile(r"(?:^|[/_])(sub-[A-Za-z0-9]+)")
PATIENT_ID = 0x00100020
FRACTION_TOLERANCE = 1e-6


def split_dataset(
    dataset_dir: str | Path,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    manifest: str | Path | None = None,
    patient_pattern: str | None = None,
) -> Datalist:
    """Assign every image below a folder to training, validation or test, by patient.

    An image is a NIfTI, PNG, TIFF or JPEG file by its name, or a folder that directly holds DICOM files. Its
    patient comes, in this order, from the manifest, from `patient_pattern`, from a hash of the
    DICOM PatientID, from a BIDS `sub-XXX` in the path, from the first folder below `dataset_dir`, or from
    the file's name without suffix. Where a patient has several files of different names, or one folder
    per contrast, say who is who by the manifest or the pattern; a warning says where folders or names of
    files were taken for patients.

    Args:
        dataset_dir: folder that is searched, hidden entries left out.
        fractions: shares of the patients for training, validation and test, summing to 1; a share of 0
            leaves that part empty.
        seed: seed of the shuffle; the same seed and patients give the same split.
        manifest: CSV file with the columns `path` (relative to the manifest's folder or, where no such file
            exists, to `dataset_dir`), `patient` or `subject_id`, and optionally `split`, which then replaces
            `fractions`. Only its rows below `dataset_dir` are used.
        patient_pattern: regular expression searched in each image's path relative to `dataset_dir`; its
            first group, or else the whole match, is the patient.

    Returns:
        Part -> list of `{"label": path relative to dataset_dir, "patient": identifier}`.

    Raises:
        InputError: if there is no image, a patient cannot be told or is in two parts, there are fewer
            patients than parts, the manifest, the pattern or the fractions are not usable, or both a manifest
            and a pattern are given.
    """
    root = Path(dataset_dir)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder: name the folder that holds the images")
    if manifest is not None and patient_pattern is not None:
        raise InputError("--manifest and --patient-pattern exclude each other: leave one of them out")
    if manifest is not None:
        items, splits = _read_manifest(Path(manifest), root)
    else:
        items, splits = _search(root, _compile(patient_pattern)), []
    if not items:
        raise InputError(
            f"{root} holds no image: NIfTI, PNG, TIFF, JPEG and DICOM series folders are looked for"
        )
    if not splits:
        part_of = _assign({item["patient"] for item in items}, fractions, seed)
        splits = [part_of[item["patient"]] for item in items]
    datalist: Datalist = {part: [] for part in PARTS}
    for item, part in zip(items, splits, strict=True):
        datalist[part].append(item)
    check_datalist(datalist)
    return datalist


def check_datalist(
    datalist: Mapping[str, Sequence[Mapping[str, str]]], name: str | Path = "the datalist"
) -> None:
    """Refuse a datalist that would let a patient be in two parts.

    Args:
        datalist: part -> items with `label` and `patient`; keys other than the three parts are ignored.
        name: what messages call it, such as its file.

    Raises:
        InputError: if no part has an item, an item lacks a key, or a patient or a file is in two parts.

    Example:
        >>> check_datalist({"training": [{"label": "a.nii.gz", "patient": "1"}],
        ...                 "test": [{"label": "b.nii.gz", "patient": "1"}]})
        Traceback (most recent call last):
        monai_sr.errors.InputError: a.nii.gz in training and b.nii.gz in test are of one patient: keep each
        patient in one part of the datalist
    """
    if not any(datalist.get(part) for part in PARTS):
        raise InputError(f"{name} has no item: it needs {', '.join(PARTS)} with label and patient")
    files: dict[str, str] = {}
    patients: dict[str, tuple[str, str]] = {}
    for part in PARTS:
        for index, item in enumerate(datalist.get(part, ())):
            for key in ("patient", "label"):
                if not item.get(key):
                    raise InputError(f"item {index} of {part} has no {key!r}: add it to {name}")
            label = item["label"]
            if (first := files.setdefault(label, part)) != part:
                raise InputError(
                    f"file {label!r} is in {first} and in {part}: keep each file in one part of {name}"
                )
            # An identifier may name a person: the files say as well who is meant.
            first, other = patients.setdefault(item["patient"], (part, label))
            if first != part:
                raise InputError(
                    f"{other} in {first} and {label} in {part} are of one patient: keep each patient in one "
                    f"part of {name}"
                )


def datalist_json(datalist: Datalist, dataset_dir: str | Path, folder: str | Path) -> str:
    """A datalist as JSON.

    Args:
        datalist: what `split_dataset` returned for `dataset_dir`.
        dataset_dir: folder that the given labels are relative to.
        folder: where the JSON file is to lie; its labels become relative to that.

    Returns:
        Text of the file.

    Raises:
        InputError: if the datalist does not pass `check_datalist`.
    """
    check_datalist(datalist)
    base = os.path.relpath(dataset_dir, folder)
    moved = {
        part: [
            {**item, "label": Path(os.path.normpath(Path(base, item["label"]))).as_posix()} for item in items
        ]
        for part, items in datalist.items()
    }
    return json.dumps(moved, indent=2) + "\n"


def _search(root: Path, pattern: re.Pattern[str] | None) -> list[dict[str, str]]:
    """Items of all images below `root`; says where a patient was only guessed."""
    items, guesses = [], set()
    for image in _find_images(root):
        patient, guess = _patient(image, root, pattern)
        items.append({"label": image.relative_to(root).as_posix(), "patient": patient})
        guesses.add(guess)
    if items and {item["patient"].lower() for item in items} <= SPLIT_NAMES.keys() and guesses != {""}:
        raise InputError(
            f"the folders in {root} are named as parts, and nothing tells the patients: say who is who by "
            "--patient-pattern, or by --manifest, whose column split keeps the parts"
        )
    if found := " or ".join(sorted(guesses - {""})):
        _logger.warning(
            "patients told by the %s; use --patient-pattern or --manifest if that is wrong",
            found.replace("DATASET_DIR", str(root)),
        )
    return items


def _find_images(root: Path) -> Iterator[Path]:
    """Image files and DICOM series folders below `root`, in the order of their paths."""
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        if _dicom_files(Path(folder)):
            yield Path(folder)
        yield from (Path(folder, name) for name in sorted(names) if _is_image(name))


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def _dicom_files(folder: Path) -> list[Path]:
    """Files directly in `folder` with the DICOM preamble, directories of media left out."""

    def is_dicom(path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"

    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".") and path.name != "DICOMDIR" and is_dicom(path)
    ]


def _compile(patient_pattern: str | None) -> re.Pattern[str] | None:
    try:
        return None if patient_pattern is None else re.compile(patient_pattern)
    except re.error as error:
        raise InputError(
            f"the patient pattern {patient_pattern!r} is not a regular expression: {error}"
        ) from None


def _patient(image: Path, root: Path, pattern: re.Pattern[str] | None) -> tuple[str, str]:
    """Patient of an image, and by which guess, empty where the patient is stated."""
    relative = image.relative_to(root)
    if pattern is not None:
        match = pattern.search(relative.as_posix())
        patient = match and (match.group(1) if pattern.groups else match.group())
        if not patient:
            raise InputError(f"{relative} does not match the patient pattern {pattern.pattern!r}: correct it")
        return patient, ""
    if image.is_dir():
        return _patient_of_series(image), ""
    if match := BIDS_SUBJECT.search(relative.as_posix()):
        return match.group(1), ""
    if len(relative.parts) > 1:
        return relative.parts[0], "first folder below DATASET_DIR"
    name = next(
        image.name[: -len(suffix)] for suffix in IMAGE_SUFFIXES if image.name.lower().endswith(suffix)
    )
    return name, "file name"


def _patient_of_series(folder: Path) -> str:
    """Pseudonym of the one patient of a DICOM series: the PatientID itself is never kept."""
    identifiers = {_read_patient_id(path) for path in _dicom_files(folder)}
    if len(identifiers) > 1:
        raise InputError(f"{folder} holds DICOM files of several patients: put each series in its own folder")
    identifier = identifiers.pop()
    if not identifier:
        raise InputError(f"{folder} has no PatientID: name the patients by a manifest or a patient pattern")
    return "dicom-" + hashlib.sha256(identifier.encode()).hexdigest()[:16]


def _read_patient_id(path: Path) -> str:
    from pydicom.filereader import read_file_meta_info, read_partial
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    try:
        # A few kB of deflated data set can fill the memory, even when only the header is asked for.
        if read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            raise ValueError("deflated")
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values
            header = read_partial(
                file, stop_when=lambda tag, vr, length: tag > PATIENT_ID, specific_tags=[PATIENT_ID]
            )
            return str(header.get("PatientID") or "").strip()
    except Exception:  # damaged or hostile bytes raise anything, and the message may quote a value
        raise InputError(
            f"{path} has no readable DICOM header: remove it, or name the patients by a manifest"
        ) from None


def _read_manifest(manifest: Path, root: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Items of the manifest's rows below `root`, and their parts, or none where it has no `split`."""
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), set(reader.fieldnames or ())
    except FileNotFoundError:
        raise InputError(f"{manifest} does not exist: check the path of the manifest") from None
    except OSError as error:
        raise InputError(f"{manifest} cannot be opened ({error.strerror}): check the file") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{manifest} cannot be read as a CSV file: save it as CSV in UTF-8") from None
    who = next((name for name in ("patient", "subject_id") if name in columns), None)
    if who is None or "path" not in columns:
        raise InputError(f"{manifest} needs the columns 'path' and 'patient' (or 'subject_id')")
    base = next((base for base in (manifest.parent, root) if _names_image(rows, base, root)), manifest.parent)
    items, splits = [], []
    for line, row in enumerate(rows, start=2):
        image = Path(os.path.abspath(base / (row["path"] or "")))
        if not image.is_relative_to(os.path.abspath(root)):
            continue
        if not image.exists():
            raise InputError(f"line {line} of {manifest} names {row['path']}, which does not exist")
        if not row[who]:
            raise InputError(f"line {line} of {manifest} has no {who}: name the patient of every image")
        label = image.relative_to(os.path.abspath(root)).as_posix()
        items.append({"label": label, "patient": row[who]})
        if "split" in columns:
            split = (row["split"] or "").strip().lower()
            if split not in SPLIT_NAMES:
                raise InputError(f"line {line} of {manifest} has the split {split!r}: use {', '.join(PARTS)}")
            splits.append(SPLIT_NAMES[split])
    if not items:
        raise InputError(
            f"no row of {manifest} names an image below {root}: its paths start from the manifest's folder "
            "or from DATASET_DIR"
        )
    return items, splits


def _names_image(rows: Sequence[Mapping[str, str]], base: Path, root: Path) -> bool:
    """Whether a row's path, taken from `base`, is there below `root`."""
    paths = (Path(os.path.abspath(base / row["path"])) for row in rows if row["path"])
    return any(path.is_relative_to(os.path.abspath(root)) and path.exists() for path in paths)


def _assign(patients: set[str], fractions: tuple[float, float, float], seed: int) -> dict[str, str]:
    """Part of each patient: every part with a share gets at least one, the rest goes by the shares."""
    # A NaN is smaller than nothing and larger than nothing: no comparison finds it.
    unusable = not all(math.isfinite(fraction) for fraction in fractions)
    if unusable or min(fractions) < 0 or not fractions[0] or abs(sum(fractions) - 1) > FRACTION_TOLERANCE:
        raise InputError(f"the fractions {fractions} must be 0 or more, sum to 1 and leave some for training")
    wanted = [part for part, fraction in zip(PARTS, fractions, strict=True) if fraction]
    if len(patients) < len(wanted):
        raise InputError(
            f"{len(patients)} patient(s) cannot fill {', '.join(wanted)}: add patients or set a fraction to 0"
        )
    held_out = {
        part: max(1, round(fraction * len(patients))) if fraction else 0
        for part, fraction in zip(PARTS[1:], fractions[1:], strict=True)
    }
    # Rounding up two small parts must leave a patient to train on.
    while sum(held_out.values()) >= len(patients):
        held_out[max(held_out, key=lambda part: held_out[part])] -= 1
    order = sorted(patients)
    random.Random(seed).shuffle(order)
    parts = [part for part, count in held_out.items() for _ in range(count)]
    parts += ["training"] * (len(order) - len(parts))
    return dict(zip(order, parts, strict=True))
