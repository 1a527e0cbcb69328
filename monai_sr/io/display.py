"""How a file asks for its image to be shown; pixels are never changed by it."""

from __future__ import annotations

import math
from typing import NamedTuple

from pydicom.multival import MultiValue

from monai_sr.io.dicom_frames import attribute_places
from monai_sr.io.dicom_types import DicomSource
from monai_sr.volume import Volume


class Display(NamedTuple):
    """A window in real values, or None where the file names none, and whether the least value is white."""

    centre: float | None = None
    width: float | None = None
    inverted: bool = False


def display_of(volume: Volume) -> Display:
    """How the middle frame of a volume asks to be shown.

    Args:
        volume: as it was read.

    Returns:
        WindowCenter, WindowWidth and MONOCHROME1 of a DICOM image; nothing of other formats.
    """
    source = volume.source
    if not isinstance(source, DicomSource):
        return Display()
    place = source.places[len(source.places) // 2]
    instance = source.instances[place.instance]
    inverted = instance.encoding.photometric_interpretation == "MONOCHROME1"
    for header in attribute_places(instance.header, place.frame):
        centre, width = (_number(header.get(name)) for name in ("WindowCenter", "WindowWidth"))
        if centre is not None and width is not None and width > 0:
            return Display(centre, width, inverted)
    return Display(inverted=inverted)


def _number(value: object) -> float | None:
    """The first of one or several numbers; headers hold anything."""
    first = (value[0] if value else None) if isinstance(value, MultiValue) else value
    try:
        number = float(str(first))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
