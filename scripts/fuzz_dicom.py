"""Damage files at random and read them: what comes back must be an image or one clear refusal.

    python scripts/fuzz_dicom.py --count 1000 --seed 1

Each file is read in a child with a limit on memory and time. Anything but a volume or a `MonaiSRError` is a
finding (another exception, a crash, over 10 s of computing, over 1 GB, a message of several lines): the file
is kept, and the exit code is 1. File number N of seed S is the same each time, whatever --count is.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image
from pydicom import dcmread

from monai_sr.errors import MonaiSRError
from monai_sr.io import read_volume
from monai_sr.io.dicom_header import quiet_pydicom
from monai_sr.sample import sample_dataset_dir

SECONDS = 10.0
STALL = 60.0  # a machine that is busy with other things may make 10 seconds long
RESIDENT = 10**9
ADDRESS_SPACE = 4 * 2**30
LARGEST_SEED = 2**20

ITEM = b"\xfe\xff\x00\xe0"
KINDS = (
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OW PN SH SL SQ SS ST TM UC UI UL UN UR US UT ZZ".split()
)
LENGTHS = [0, 1, 2, 3, 255, 0x7FFF, 0xFFFE, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1]
VALUES = rb"0|-1|1\2|nan|inf|1e308|1e-320|99999999999999999999|../../x|\\\\\|".split(b"|")
VALUES += [b"\x1b[2J", b"\xff\xff", b"\x00\x80", b"\x01\x00", bytes(4)]


class Seed(NamedTuple):
    """A file to damage.

    Args:
        name: its name, whose suffix says how it is read.
        data: its bytes.
        starts: where its elements, items and fragments start; empty in other formats than DICOM.
    """

    name: str
    data: bytes
    starts: list[int]


class _Recorder(BytesIO):
    """A file that knows where pydicom looked for elements."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.starts: set[int] = set()

    def read(self, size: int | None = -1) -> bytes:
        if size == 8:
            self.starts.add(self.tell())
        return super().read(size)


def make_seed(path: str | Path, data: bytes) -> Seed:
    """A seed with what pydicom finds in it.

    Args:
        path: where it comes from.
        data: its bytes.

    Returns:
        The seed.
    """
    recorder = _Recorder(data)
    with quiet_pydicom():
        try:
            dcmread(recorder)
        except Exception:
            return Seed(Path(path).name, data, [])
    # What is within sequences of defined length is not read at once; their items are found by their tags.
    position = data.find(ITEM)
    while position >= 0:
        recorder.starts |= {position, position + 8}
        position = data.find(ITEM, position + 1)
    return Seed(Path(path).name, data, sorted(start for start in recorder.starts if start + 12 < len(data)))


def find_seeds(folder: Path | None) -> list[Seed]:
    """The test files of pydicom, the embedded sample, other formats made from it, and a folder's files.

    Args:
        folder: further files, at any depth, or None.

    Returns:
        The seeds, those that can be read four times, so that most damage goes deep.
    """
    test_files = files("pydicom.data") / "test_files"
    found = [(str(file), file.read_bytes()) for file in test_files.iterdir() if file.name.endswith(".dcm")]
    for path in sorted([*sample_dataset_dir().rglob("*.dcm"), *(folder.rglob("*") if folder else ())]):
        if path.is_file():
            found.append((str(path), path.read_bytes()))
    found += other_formats()
    seeds = []
    supervisor = Supervisor()
    with tempfile.TemporaryDirectory() as scratch:
        for name, data in sorted(found):
            if len(data) <= LARGEST_SEED:
                file = Path(scratch, Path(name).name)
                file.write_bytes(data)
                seeds += [make_seed(name, data)] * (4 if "volume" in supervisor.read(file) else 1)
    supervisor.close()
    return seeds


def other_formats() -> list[tuple[str, bytes]]:
    """Small NIfTI, PNG, TIFF and JPEG files."""
    nifti = gzip.decompress(next(sample_dataset_dir().rglob("*test.nii.gz")).read_bytes())
    found = [("small.nii", nifti[: 352 + 2**16]), ("small.nii.gz", gzip.compress(nifti[:20_000]))]
    frame = (np.arange(48 * 64).reshape(48, 64) % 251).astype(np.uint8)
    for suffix, options in (("png", {}), ("jpg", {}), ("tif", {}), ("tiff", {"compression": "tiff_lzw"})):
        file = BytesIO()
        Image.fromarray(frame).save(file, {"jpg": "JPEG", "png": "PNG"}.get(suffix, "TIFF"), **options)
        found.append((f"small.{suffix}", file.getvalue()))
    return found


def damage(seed: Seed, random_: random.Random) -> bytes:
    """Change a file in one to four ways.

    Args:
        seed: the file.
        random_: decides.

    Returns:
        The damaged file.
    """
    data = bytearray(seed.data)
    ways: list[Callable[[bytearray, list[int], random.Random], None]] = [_bytes, _stretch]
    if seed.starts:
        ways = [_bytes, _stretch, _codestream, *[_length, _kind, _value, _tag, _elements, _nest] * 2]
    for _ in range(random_.choice((1, 1, 2, 4))):
        starts = [start for start in seed.starts if start + 12 < len(data)] or [0]
        if len(data) > 16:
            random_.choice(ways)(data, starts, random_)
    return bytes(data)


def _bytes(data: bytearray, starts: list[int], random_: random.Random) -> None:
    # The first kilobytes hold the headers of nearly every format.
    within = random_.choice((len(data), min(len(data), 2048)))
    for _ in range(random_.choice((1, 2, 8, 32))):
        data[random_.randrange(within)] = random_.choice((0, 1, 0x7F, 0x80, 0xFF, random_.randrange(256)))


def _stretch(data: bytearray, starts: list[int], random_: random.Random) -> None:
    start = random_.randrange(len(data))
    end = min(len(data), start + random_.choice((1, 8, 100, 10_000)))
    match random_.randrange(4):
        case 0:
            del data[start:end]
        case 1:
            data[start:start] = data[start:end]
        case 2:
            del data[start:]
        case 3:
            data[start:end] = random_.randbytes(end - start)


def _codestream(data: bytearray, starts: list[int], random_: random.Random) -> None:
    pixels = max(data.rfind(b"\xe0\x7f\x10\x00"), 0)
    within = min(len(data), pixels + random_.choice((64, 300, len(data))))
    for _ in range(random_.choice((1, 2, 8))):
        data[random_.randrange(pixels, within)] = random_.choice((0, 1, 0x7F, 0xFF, random_.randrange(256)))


def _length(data: bytearray, starts: list[int], random_: random.Random) -> None:
    start, length = random_.choice(starts), random_.choice(LENGTHS)
    if random_.random() < 0.5:
        data[start + 6 : start + 8] = struct.pack("<H", length & 0xFFFF)
    else:
        at = start + random_.choice((4, 8))
        data[at : at + 4] = struct.pack("<I", length)


def _kind(data: bytearray, starts: list[int], random_: random.Random) -> None:
    start = random_.choice(starts)
    data[start + 4 : start + 6] = random_.choice(KINDS)


def _value(data: bytearray, starts: list[int], random_: random.Random) -> None:
    start, value = random_.choice(starts) + random_.choice((8, 12)), random_.choice(VALUES)
    data[start : start + len(value)] = value


def _tag(data: bytearray, starts: list[int], random_: random.Random) -> None:
    start, other = random_.choice(starts), random_.choice(starts)
    data[start : start + 4] = random_.choice((data[other : other + 4], random_.randbytes(4)))


def _elements(data: bytearray, starts: list[int], random_: random.Random) -> None:
    index = random_.randrange(len(starts))
    start, end = starts[index], (*starts, len(data))[index + 1]
    element = data[start:end]
    if random_.random() < 0.7:
        del data[start:end]
    if random_.random() < 0.5:
        to = random_.choice(starts)
        data[to:to] = element * random_.choice((1, 1, 2, 1000))


def _nest(data: bytearray, starts: list[int], random_: random.Random) -> None:
    index = random_.randrange(len(starts))
    start, end = starts[index], (*starts, len(data))[index + 1]
    for _ in range(random_.choice((1, 2, 20, 1500))):
        length = random_.choice((end - start, 2**32 - 1))
        sequence = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, (length + 8) % 2**32)
        data[start:start] = sequence + ITEM + struct.pack("<I", length)
        end += 20


def read(path: Path) -> dict[str, str]:
    """Read a file as the package does.

    Args:
        path: the file.

    Returns:
        What came of it: the key is "volume", "refused" or "finding", the value says more.
    """
    try:
        volume = read_volume(path)
    except MonaiSRError as error:
        message = str(error)
        return {"refused" if "\n" not in message else "finding": message}
    except Exception as error:
        place = error.__traceback__
        while place and place.tb_next:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
        return {"finding": f"{type(error).__name__} at {where}: {error}"}
    return {"volume": str(volume.array.shape)}


def serve() -> None:
    """Read the files that standard input names, one line each, and answer in JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    except (ImportError, ValueError):
        pass
    for line in sys.stdin:
        _forget_peak()
        start = time.process_time()
        answer = read(Path(line.rstrip("\n")))
        measured = {"resident": _peak(), "seconds": time.process_time() - start}
        print(json.dumps(answer | measured), file=answers, flush=True)


def _forget_peak() -> None:
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    import resource

    own = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    # The processes that decode: those that were replaced, as after every failure.
    return 1024 * max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


class Supervisor:
    """Reads files in a child, and starts another child when one does not answer.

    Args:
        errors: file for what the child and its libraries print; nowhere by default.
    """

    def __init__(self, errors: IO[str] | None = None) -> None:
        self._errors = errors
        self._child: subprocess.Popen[str] | None = None

    def read(self, path: Path) -> dict[str, Any]:
        """Read a file within the limits.

        Args:
            path: the file.

        Returns:
            What `read` says, or a finding.
        """
        child = self._running()
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the child has no pipes")
        timer = threading.Timer(STALL, child.kill)
        start = time.monotonic()
        timer.start()
        print(path, file=child.stdin, flush=True)
        line = child.stdout.readline()
        timer.cancel()
        if not line:
            self.close()
            hung = time.monotonic() - start >= STALL
            return {"finding": f"no answer in {STALL:g} s" if hung else f"ended with {child.returncode}"}
        answer: dict[str, Any] = json.loads(line)
        if answer["resident"] > RESIDENT:
            self.close()
            return {"finding": f"{answer['resident'] / 1e6:.0f} MB resident"}
        if answer["seconds"] > SECONDS:
            return {"finding": f"{answer['seconds']:.0f} s of computing"}
        return answer

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _running(self) -> subprocess.Popen[str]:
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, __file__, "--serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors or subprocess.DEVNULL,
                text=True,
            )
        return self._child


def fuzz(count: int, seed: int, first: int, seeds: list[Seed], keep: Path) -> Counter[str]:
    """Damage and read files.

    Args:
        count: how many.
        seed: of the damage.
        first: number of the first.
        seeds: the files to damage.
        keep: folder for the files of findings.

    Returns:
        How many ended in which way.
    """
    outcomes: Counter[str] = Counter()
    supervisor = Supervisor()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(first, first + count):
            random_ = random.Random(f"{seed}:{number}")
            chosen = random_.choice(seeds)
            path = Path(scratch, f"{seed}-{number}-{chosen.name}")
            path.write_bytes(damage(chosen, random_))
            answer = supervisor.read(path)
            outcome = next(iter(answer))
            outcomes[outcome] += 1
            if outcome == "finding":
                keep.mkdir(parents=True, exist_ok=True)
                (keep / path.name).write_bytes(path.read_bytes())
                print(f"{keep / path.name}: {answer[outcome]}", flush=True)
            path.unlink()
    supervisor.close()
    return outcomes


def main() -> int:
    """Run from the command line.

    Returns:
        1 if there was a finding.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="How many files.")
    parser.add_argument("--seed", type=int, default=0, help="Another seed gives other damage.")
    parser.add_argument("--first", type=int, default=0, help="Number of the first file, to repeat one.")
    parser.add_argument("--seeds-dir", type=Path, help="Folder of further files to damage.")
    parser.add_argument("--keep", type=Path, default=Path("fuzz_findings"), help="Folder for findings.")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return 0
    start = time.monotonic()
    seeds = find_seeds(options.seeds_dir)
    outcomes = fuzz(options.count, options.seed, options.first, seeds, options.keep)
    told = ", ".join(f"{outcomes[name]} {name}" for name in ("volume", "refused", "finding"))
    seconds = time.monotonic() - start
    print(
        f"seed {options.seed}, {options.count} files of {len(set(map(id, seeds)))}: {told}; {seconds:.0f} s"
    )
    return int(bool(outcomes["finding"]))


if __name__ == "__main__":
    sys.exit(main())
