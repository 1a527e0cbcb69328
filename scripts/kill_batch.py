"""Kill a batch at random moments, resume it each time, and compare its end with an undisturbed one's."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from monai_sr import EDSR, Upscaler
from monai_sr.batch import run_archive

ROOT = "1.2.826.0.1.3680043.8.498.78"
SIZE = 16
FORK = multiprocessing.get_context("fork")  # a new process without torch's start-up of seconds


def make_archive(folder: Path, series: int) -> None:
    """Series of two images in nested folders, some scattered, some together, with files of other kinds.

    Args:
        folder: is made.
        series: number of series; every tenth one brings a PNG and a damaged file.
    """
    random_pixels = np.random.default_rng(0)
    for number in range(series):
        for index in range(2):
            place = folder / f"patient{number // 8}" / f"scan{(number + index * (number % 5 == 0)) // 2}"
            place.mkdir(parents=True, exist_ok=True)
            pixels = random_pixels.integers(0, 4096, (SIZE, SIZE), np.uint16)
            _image(number, index, pixels).save_as(place / f"IM{number}_{index}", enforce_file_format=True)
        (place / "notes.txt").write_text("not an image")
        if number % 10 == 0:
            Image.fromarray(pixels).save(place / f"{number}.png")
            (place / f"{number}.dcm").write_bytes(b"damaged")


def _image(number: int, index: int, pixels: np.ndarray) -> Dataset:
    image = Dataset()
    image.SOPClassUID = MRImageStorage
    image.StudyInstanceUID = f"{ROOT}.1.{number // 4}"
    image.SeriesInstanceUID = f"{ROOT}.2.{number}"
    image.SOPInstanceUID = f"{ROOT}.3.{number}.{index}"
    image.Modality, image.SeriesNumber, image.InstanceNumber = "MR", number % 4 + 1, index + 1
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.ImagePositionPatient, image.PixelSpacing = [0, 0, index], [1, 1]
    image.Rows = image.Columns = SIZE
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.add_new("PixelData", "OW", pixels.tobytes())
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def run(archive: Path, out: Path) -> None:
    """Upscale an archive by a network of few weights, as `monai-sr upscale --recursive --resume` does."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = EDSR(scale_factor=2, num_blocks=1, channels=4, global_skip=True)
    run_archive(Upscaler(network), archive, out, resume=True)


def images(out: Path) -> dict[str, Path]:
    """Every image that is there, by its name; what is hidden is not there."""
    found = [path for top in (*out.glob("series_*"), *out.glob("files")) for path in top.rglob("*")]
    return {
        path.relative_to(out).as_posix(): path
        for path in found
        if path.is_file() and not path.name.startswith(".")
    }


def read_report(out: Path) -> list[dict]:
    """Lines of the report, but for one that a kill tore."""
    path = out / "report.jsonl"
    whole, _, _ = path.read_text().rpartition("\n") if path.exists() else ("", "", "")
    return [json.loads(line) for line in whole.splitlines()]


def begun(out: Path) -> int:
    """Number of times that a job began."""
    path = out / ".begun"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def left(out: Path) -> list[str]:
    """What is half-written."""
    return [path.name for path in out.rglob(".*") if path.name != ".begun"]


def kill(archive: Path, out: Path, jobs: int, seconds: float, moments: random.Random) -> bool:
    """Start a batch, or resume it, and kill it.

    Args:
        archive: what is upscaled.
        out: the batch's output.
        jobs: the most jobs that it is to begin.
        seconds: the most that it is to live after that.
        moments: draws when to kill.

    Returns:
        Whether it was still alive.
    """
    enough = begun(out) + moments.randint(0, jobs)
    process = FORK.Process(target=run, args=(archive, out))
    process.start()
    while process.is_alive() and begun(out) < enough:
        time.sleep(0.0005)
    time.sleep(moments.uniform(0, seconds))
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def check(condition: bool, complaint: str) -> None:
    """Raise RuntimeError unless a condition holds."""
    if not condition:
        raise RuntimeError(complaint)


def kill_and_resume(archive: Path, out: Path, expected: Path, kills: int, seed: int) -> dict[str, int]:
    """Kill a batch again and again, let it end, and check it at each step.

    Args:
        archive: what is upscaled.
        out: the batch's output.
        expected: output of an undisturbed run.
        kills: how often to kill.
        seed: of the moments.

    Returns:
        The number of kills, of those that left something half-written, and of those that struck after an
        output had come and before its line of the report.

    Raises:
        RuntimeError: if the batch did anything twice, otherwise or not at all.
    """
    moments = random.Random(seed)
    whole = {name: path.read_bytes() for name, path in images(expected).items()}
    folders = Counter(Path(name).parent for name in whole)
    jobs = read_report(expected)
    seconds = 2 * sum(job["seconds"] for job in jobs) / len(jobs)
    figures = {"kills": 0, "half_written": 0}
    written: dict[str, int] = {}
    for number in range(kills):
        # About half of what would bring it to its end, so that enough is left for the last kill.
        most = (len(folders) - len({Path(name).parent for name in images(out)})) // (kills - number + 1)
        figures["kills"] += kill(archive, out, most, seconds, moments)
        there = images(out)
        check(all(whole[name] == path.read_bytes() for name, path in there.items()), "an image differs")
        counts = Counter(Path(name).parent for name in there if name.startswith("series_"))
        check(all(folders[folder] == count for folder, count in counts.items()), "a series is not whole")
        check(all(there[name].stat().st_mtime_ns == time for name, time in written.items()), "done twice")
        written = {name: path.stat().st_mtime_ns for name, path in there.items()}
        done = [line["output"] for line in read_report(out) if line["status"] == "done"]
        check(len(set(done)) == len(done), "an output is recorded twice")
        figures["half_written"] += bool(left(out))
    process = FORK.Process(target=run, args=(archive, out))
    process.start()
    process.join()
    check(process.exitcode == 0, "the batch does not end")
    check({name: path.read_bytes() for name, path in images(out).items()} == whole, "the output differs")
    check(not left(out), "something half-written is left")
    facts = ("status", "output", "sources", "files", "images")
    ended, undisturbed = (
        sorted(repr([line[fact] for fact in facts]) for line in report) for report in (read_report(out), jobs)
    )
    check(ended == undisturbed, "the report differs")
    return figures | {"unrecorded": sum("found whole" in line["reason"] for line in read_report(out))}


def main() -> None:
    """Make an archive, upscale it once undisturbed and once with kills, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200, help="series of the archive (default: 200)")
    parser.add_argument("--kills", type=int, default=50, help="how often to kill (default: 50)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    arguments = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        archive, undisturbed, killed = (Path(folder, name) for name in ("archive", "undisturbed", "killed"))
        make_archive(archive, arguments.series)
        process = FORK.Process(target=run, args=(archive, undisturbed))
        process.start()
        process.join()
        statuses = Counter(line["status"] for line in read_report(undisturbed))
        print(f"undisturbed: {dict(statuses)}, {time.monotonic() - start:.0f} s", flush=True)
        figures = kill_and_resume(archive, killed, undisturbed, arguments.kills, arguments.seed)
    print(f"killed and resumed: {figures}, the same bytes, {time.monotonic() - start:.0f} s in all")


if __name__ == "__main__":
    main()
