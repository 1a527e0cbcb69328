"""3D Slicer: send a volume to a MONAI Label server with this package's app, show the finer one beside it.

Add the folder of this file under Edit > Application Settings > Modules > Additional module paths.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import qt
import slicer
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleWidget,
)

SERVER = "http://127.0.0.1:8000"
TIMEOUT = 3600.0
"""Seconds that a server may compute."""

_CHUNK = 2**20


def models(server: str) -> list[str]:
    """Models of a server that give an image.

    Args:
        server: its address.

    Returns:
        Their names.

    Raises:
        RuntimeError: with a sentence, if the server does not answer.
    """
    with _opened(urllib.request.Request(f"{server.rstrip('/')}/info/"), 10.0) as response:
        found = json.load(response)["models"]
    return sorted(name for name, model in found.items() if model["type"] == "others")


def upscale_file(server: str, model: str, source: Path, target: Path) -> None:
    """Have a file super-resolved.

    Args:
        server: its address.
        model: one of `models`.
        source: a .nii.gz or .nrrd file.
        target: file of the same format that is written.

    Raises:
        RuntimeError: with a sentence, if the server refuses or does not answer.
    """
    boundary = uuid.uuid4().hex
    suffix = "".join(source.suffixes)
    # The server needs the format only, and a volume's name may be a patient's.
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="image{suffix}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(head) + source.stat().st_size + len(tail)),
    }
    address = f"{server.rstrip('/')}/infer/{quote(model, safe='')}?output=image"
    request = urllib.request.Request(address, _body(head, source, tail), headers, method="POST")
    with _opened(request, TIMEOUT) as response, target.open("wb") as file:
        shutil.copyfileobj(response, file)


def _body(head: bytes, source: Path, tail: bytes) -> Iterator[bytes]:
    yield head
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
    yield tail


def _opened(request: urllib.request.Request, timeout: float) -> Any:
    if request.type not in ("http", "https"):
        raise RuntimeError("Give the server's address as http://HOST:PORT.")
    try:
        return urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        try:
            detail = json.load(error)["detail"]
        except (ValueError, KeyError, TypeError):
            detail = f"It answers {error.code}."
        raise RuntimeError(f"The server refuses: {detail}") from None
    except OSError as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise RuntimeError(f"The server does not answer ({reason}): see whether it runs.") from None


class MonaiSR(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = "Super-resolution (monai_sr)"
        parent.categories = ["Filtering"]
        parent.contributors = ["monai_sr contributors"]
        parent.helpText = "Super-resolves a volume in plane on a MONAI Label server. Not for diagnosis."
        parent.acknowledgementText = "Apache-2.0"


class MonaiSRWidget(ScriptedLoadableModuleWidget):
    """The module's panel."""

    def setup(self) -> None:
        """Build the panel."""
        super().setup()
        form = qt.QFormLayout()
        self.layout.addLayout(form)
        self.server = qt.QLineEdit(SERVER)
        self.connect_button = qt.QPushButton("Connect")
        self.model = qt.QComboBox()
        self.volume = slicer.qMRMLNodeComboBox()
        self.volume.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self.volume.addEnabled = self.volume.removeEnabled = False
        self.volume.setMRMLScene(slicer.mrmlScene)
        self.upscale_button = qt.QPushButton("Super-resolve")
        for label, widget in (
            ("Server", self.server),
            ("", self.connect_button),
            ("Model", self.model),
            ("Volume", self.volume),
            ("", self.upscale_button),
        ):
            form.addRow(label, widget)
        self.connect_button.clicked.connect(self.on_connect)
        self.upscale_button.clicked.connect(self.on_upscale)
        self.layout.addStretch(1)

    def on_connect(self) -> None:
        """List the server's models."""
        with slicer.util.tryWithErrorDisplay("Super-resolution", waitCursor=True):
            names = models(self.server.text)
            self.model.clear()
            self.model.addItems(names)

    def on_upscale(self) -> None:
        """Super-resolve the selected volume."""
        with slicer.util.tryWithErrorDisplay("Super-resolution", waitCursor=True):
            volume, model = self.volume.currentNode(), self.model.currentText
            if volume is None or not model:
                raise RuntimeError("Connect, then choose a model and a volume.")
            MonaiSRLogic().upscale(self.server.text, model, volume)


class MonaiSRLogic(ScriptedLoadableModuleLogic):
    """What the panel does."""

    def upscale(self, server: str, model: str, volume: Any) -> Any:
        """Super-resolve a volume and show both side by side.

        Args:
            server: its address.
            model: name of a model.
            volume: the volume's node.

        Returns:
            The finer volume's node.

        Raises:
            RuntimeError: with a sentence, if that fails.
        """
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "image.nrrd"), Path(folder, "finer.nrrd")
            if not slicer.util.saveNode(volume, str(source)):
                raise RuntimeError("The volume cannot be saved: see Slicer's log.")
            upscale_file(server, model, source, target)
            finer = slicer.util.loadVolume(
                str(target), {"name": f"{volume.GetName()} {model}", "show": False}
            )
        # The same window, so that what differs is not the contrast.
        old, new = volume.GetDisplayNode(), finer.GetDisplayNode()
        if old is not None and new is not None:
            new.SetAutoWindowLevel(False)
            new.SetWindowLevel(old.GetWindow(), old.GetLevel())
        self.show(volume, finer)
        return finer

    def show(self, volume: Any, finer: Any) -> None:
        """Two views of the same place, which move together.

        Args:
            volume: node of the left one.
            finer: node of the right one.
        """
        manager = slicer.app.layoutManager()
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView)
        for name, node in (("Red", volume), ("Yellow", finer)):
            widget = manager.sliceWidget(name)
            widget.mrmlSliceNode().SetOrientation("Axial")
            composite = widget.mrmlSliceCompositeNode()
            composite.SetLinkedControl(False)
            composite.SetBackgroundVolumeID(node.GetID())
            composite.SetForegroundVolumeID(None)
            composite.SetLabelVolumeID(None)
        for name in ("Red", "Yellow"):
            manager.sliceWidget(name).mrmlSliceNode().RotateToVolumePlane(volume)
            manager.sliceWidget(name).sliceLogic().FitSliceToAll()
            manager.sliceWidget(name).mrmlSliceCompositeNode().SetLinkedControl(True)
