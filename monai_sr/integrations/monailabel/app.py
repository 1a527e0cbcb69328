"""The MONAI Label app: which models it serves, and on which images."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from monailabel.config import settings
from monailabel.interfaces.app import MONAILabelApp
from monailabel.utils.others.generic import md5_digest, strtobool
from requests.auth import HTTPBasicAuth

import monai_sr
from monai_sr.bundle import bundle_folders, find_bundle, weights_file
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.integrations.monailabel.checks import (
    BusyError,
    NotFoundError,
    check_parameters,
    check_result_tag,
    result_extension,
)
from monai_sr.integrations.monailabel.fine_tune_task import FineTuneTask
from monai_sr.integrations.monailabel.local_store import LocalStore
from monai_sr.integrations.monailabel.pacs_store import PacsStore
from monai_sr.integrations.monailabel.push_task import PushTask
from monai_sr.integrations.monailabel.sessions import SafeSessions
from monai_sr.integrations.monailabel.upscale_task import UpscaleTask
from monai_sr.integrations.pacs.address import parse_address
from monai_sr.integrations.pacs.server import Pacs
from monai_sr.io import list_series
from monai_sr.io.temporary import temporary_folder

MAX_WAITING = 8
"""Requests that may wait for the one that is computed."""

MAX_UPLOAD = 2
"""GiB that a client may send in one request, unless `--conf max_upload` says otherwise."""

RESULT_TAG = "sr"
"""Under which finer images are kept unless a client names another; MONAI Label's own default has labels."""

_FILTER = "MONAI_LABEL_DICOMWEB_SEARCH_FILTER"


class SuperResolutionApp(MONAILabelApp):
    """Every bundle at every scale that it has weights for, as a task of its own name, such as `edsr_mri_x2`.

    Options, each by `--conf NAME VALUE`: `models`, names of bundles separated by commas; `train true`, to
    offer fine-tuning; `max_upload`, in GiB; `hosts`, names under which clients reach the server.

    Args:
        app_dir: this folder, or one that holds a `main.py` like it.
        studies: folder of images, or address of a PACS's DICOMweb.
        conf: the options.
    """

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        # What clients send and get goes with the server, however that ends; MONAI Label asks `tempfile` for a
        # place.
        self._stack = ExitStack()
        self.work = self._stack.enter_context(temporary_folder()).resolve()
        tempfile.tempdir = str(self.work)
        # They tell of requests, and so of patients.
        for name in ("monai_sr", "monailabel", "dicomweb_client", "__main__"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._computing = threading.Lock()
        self._places = threading.BoundedSemaphore(MAX_WAITING)
        super().__init__(
            app_dir=app_dir,
            studies=studies,
            conf=conf,
            name=f"monai_sr {monai_sr.__version__}",
            description="Super-resolution of medical images in plane. Not for diagnosis",
            version=monai_sr.__version__,
        )

    def init_datastore(self) -> LocalStore:
        """Open the folder or the PACS that `--studies` names.

        Returns:
            The datastore.
        """
        if not self.studies.startswith(("http://", "https://")):
            return LocalStore(Path(self.studies), settings.MONAI_LABEL_DATASTORE_READ_ONLY)
        url = self.studies.rstrip("/")
        home = (
            settings.MONAI_LABEL_DICOMWEB_CACHE_PATH.strip()
            or Path.home() / ".cache" / "monailabel" / "dicom"
        )
        search_filter = settings.MONAI_LABEL_DICOMWEB_SEARCH_FILTER
        if _FILTER not in settings.model_fields_set:
            # MONAI Label's own default is CT alone; its background jobs see what stands here.
            search_filter, os.environ[_FILTER] = {}, "{}"
        return PacsStore(_open_pacs(url), Path(home) / md5_digest(url), search_filter)

    def init_infers(self) -> dict[str, UpscaleTask]:
        """Make the tasks; no network is loaded yet.

        Returns:
            Name -> task.

        Raises:
            InputError: if `models` names a bundle that is not there.
        """
        wanted = [name.strip() for name in self.conf.get("models", "").split(",") if name.strip()]
        tasks: dict[str, UpscaleTask] = {}
        for bundle in map(find_bundle, wanted or sorted(bundle_folders())):
            for scale in bundle.scale_factors:
                name = f"{bundle.name}_x{scale}"
                tasks[name] = UpscaleTask(bundle, scale, self.work)
                if isinstance(self._datastore, PacsStore):
                    tasks[f"{name}_push"] = PushTask(bundle, scale, self.work, self._datastore)
        return tasks

    def init_trainers(self) -> dict[str, Any]:
        """Make the trainers, where they are wanted.

        Returns:
            Name -> task.
        """
        if not strtobool(self.conf.get("train", "false")):
            return {}
        results = Path(self.app_dir) / "model"
        return {
            name: FineTuneTask(task.bundle, task.scale_factor, results)
            for name, task in self._infers.items()
            # A bundle with a second stage would be trained in two, against a discriminator.
            if not isinstance(task, PushTask)
            and not weights_file(task.bundle.root, task.scale_factor, "pixel").exists()
        }

    def on_init_complete(self) -> None:
        """Harden the server, which begins to serve now."""
        from monai_sr.integrations.monailabel.server import harden

        super().on_init_complete()
        gibibytes = float(self.conf.get("max_upload", MAX_UPLOAD))
        hosts = {name.strip().lower() for name in self.conf.get("hosts", "").split(",") if name.strip()}
        harden(int(gibibytes * 2**30), hosts, has_pacs=isinstance(self._datastore, PacsStore))

    def infer(self, request: dict[str, Any], datastore: object = None) -> dict[str, Any]:
        """Run a task on one image.

        Args:
            request: `model`; `image`, a name of the datastore, or a file that this server received;
                `result_extension`, `device`; `save_label` and `label_tag` to keep the result.
            datastore: not used; there is one.

        Returns:
            What MONAI Label answers by: `file`, `label`, `tag` and `params`.

        Raises:
            MonaiSRError: with what to tell the client.
        """
        return self._one_at_a_time(lambda: self._infer(request, received=True))

    def batch_infer(self, request: dict[str, Any], datastore: object = None) -> dict[str, Any]:
        """Run a task on many images of the datastore; a bad one stops no other.

        Args:
            request: as for `infer`; `images` is `all`, `labeled`, `unlabeled` or a list of names.
            datastore: not used; there is one.

        Returns:
            What `infer` gives for each image by name, or `error` with a sentence.

        Raises:
            MonaiSRError: with what to tell the client.
        """
        self._task(request)
        check_parameters({name: value for name, value in request.items() if name != "model"})
        tag = check_result_tag(request.get("label_tag", RESULT_TAG))
        # Parallel jobs would share the cores, and MONAI Label divides by the number of GPUs.
        request = request | {"max_workers": 1, "multi_gpu": False, "label_tag": tag}

        def attempt(one: dict[str, Any], _: object) -> dict[str, Any]:
            try:
                return self._infer(one, received=False)
            except MonaiSRError as error:
                return {"error": str(error)}

        return self._one_at_a_time(lambda: self._batch_infer(request, self._datastore, attempt))

    def infer_wsi(self, request: dict[str, Any], datastore: object = None) -> dict[str, Any]:
        """Refuse: there is no task for slides.

        Args:
            request: of the client.
            datastore: not used.

        Raises:
            InputError: always.
        """
        raise InputError("This server has no model for whole slides: ask for another by /infer.")

    def _load_sessions(self, load: bool = False) -> SafeSessions | None:
        path = settings.MONAI_LABEL_SESSION_PATH.strip() or str(self.work / "sessions")
        return SafeSessions(path, settings.MONAI_LABEL_SESSION_EXPIRY) if load else None

    def _task(self, request: dict[str, Any]) -> UpscaleTask:
        task: UpscaleTask | None = self._infers.get(request.get("model"))
        if task is None:
            raise NotFoundError("There is no such model: see what /info/ lists.")
        return task

    def _one_at_a_time(self, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Each takes all cores and its share of memory, so the others wait."""
        if not self._places.acquire(blocking=False):
            raise BusyError(f"{MAX_WAITING} requests wait already: try again later.")
        try:
            with self._computing:
                return run()
        except MonaiSRError:
            raise
        except Exception as error:
            # Whose message may hold anything of the patient.
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}, line {place.lineno}"
            raise MonaiSRError(f"{type(error).__name__} in {where}, which was not expected.") from None
        finally:
            self._places.release()

    def _infer(self, request: dict[str, Any], received: bool) -> dict[str, Any]:
        task = self._task(request)
        name = request.get("image")
        is_received = received and self._is_received(name)
        keep = bool(request.get("save_label")) and not is_received
        tag = check_result_tag(request.get("label_tag", RESULT_TAG)) if keep else RESULT_TAG
        source = Path(str(name)) if is_received else self._datastore.source(name)
        result_extension(request.get("result_extension"), source)
        if not received and source.is_dir() and any(series.is_derived() for series in list_series(source)):
            raise InputError("This series was made by monai-sr: name it alone to upscale it again.")
        try:
            file, told = task(request | {"image": str(source)})
        except MonaiSRError as error:
            # A path on this server would tell the client nothing that it may know.
            raise type(error)(str(error).replace(str(source), "The image")) from None
        label = file
        if keep:
            told_once = {"model": request["model"], "params": told}
            label = self._datastore.save_label(str(name), file, tag, told_once)
        return {"label": label, "tag": tag, "file": file, "params": told}

    def _is_received(self, name: object) -> bool:
        """Whether a name is the path of what a client of this server sent."""
        if not isinstance(name, str) or not os.path.isabs(name) or not os.path.exists(name):
            return False
        homes = [self.work, *([Path(self._sessions.store_path).resolve()] if self._sessions else [])]
        return any(home in Path(name).resolve().parents for home in homes)


def _open_pacs(url: str) -> Pacs:
    if (
        settings.MONAI_LABEL_QIDO_PREFIX
        or settings.MONAI_LABEL_WADO_PREFIX
        or settings.MONAI_LABEL_STOW_PREFIX
    ):
        raise InputError(
            "A PACS has one address here: put the prefix at the end of --studies, and unset "
            "MONAI_LABEL_QIDO_PREFIX, MONAI_LABEL_WADO_PREFIX and MONAI_LABEL_STOW_PREFIX."
        )
    user = settings.MONAI_LABEL_DICOMWEB_USERNAME or settings.MONAI_LABEL_DATASTORE_USERNAME
    password = settings.MONAI_LABEL_DICOMWEB_PASSWORD or settings.MONAI_LABEL_DATASTORE_PASSWORD
    auth = HTTPBasicAuth(user.encode(), password.encode()) if user else None
    # A person waits for the answer, and can ask again.
    return Pacs(parse_address(url.replace("http", "dicomweb", 1)), retry=False, auth=auth)
