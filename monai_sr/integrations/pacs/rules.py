"""Which series of a PACS are wanted: by what it lists of them, then by the first image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from monai_sr.errors import InputError
from monai_sr.integrations.pacs.server import PacsSeries
from monai_sr.integrations.pacs.transfer import SkippedError
from monai_sr.io.dicom_header import quiet_pydicom, read_instance


class UnwantedError(SkippedError):
    """A series that the rules leave out; other rules may not."""


@dataclass(frozen=True)
class Rules:
    """What a series must be; all series by default.

    Args:
        modality: Modality, such as "MR".
        description: regular expression that is found in SeriesDescription, whatever the case.
        min_spacing: least distance of pixels in both directions, in mm.
        max_spacing: largest distance, in mm.
        since: days; the study is not older.

    Raises:
        InputError: if a rule makes no sense.
    """

    modality: str | None = None
    description: str | None = None
    min_spacing: float | None = None
    max_spacing: float | None = None
    since: int | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.description or "")
        except re.error as error:
            raise InputError(f"--description is no regular expression ({error}): mend it.") from None
        if self.modality is not None and not re.fullmatch("[A-Z]{1,16}", self.modality):
            raise InputError("--modality is a code of DICOM in capitals, such as MR: correct it.")
        if (self.min_spacing or 0) > (self.max_spacing or float("inf")):
            raise InputError("--min-spacing is larger than --max-spacing: exchange them.")

    def filters(self) -> dict[str, str]:
        """What a PACS is asked to match, by DICOM keyword."""
        found = {} if self.modality is None else {"Modality": self.modality}
        if self.since is not None:
            found["StudyDate"] = f"{date.today() - timedelta(days=self.since):%Y%m%d}-"
        return found

    def match(self, series: PacsSeries) -> bool:
        """Whether a series may be wanted, by what the PACS lists.

        Args:
            series: as listed.

        Returns:
            False if it is not.
        """
        if self.modality not in (None, series.modality):
            return False
        return re.search(self.description or "", series.description, re.IGNORECASE) is not None

    def check(self, path: Path) -> None:
        """Skip a series by its first image.

        Args:
            path: the file.

        Raises:
            UnwantedError: if its pixels are of another size than wanted.
            InputError: if it cannot be read.
        """
        if self.min_spacing is None and self.max_spacing is None:
            return
        with quiet_pydicom():
            spacing = read_instance(path).frames[0].spacing
        least, most = self.min_spacing or 0, self.max_spacing or float("inf")
        if spacing is None or not least <= min(spacing) <= max(spacing) <= most:
            raise UnwantedError("its pixels are not of the size that is wanted")
