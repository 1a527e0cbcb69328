"""Many machines: an archive's series and files as the tasks of a Ray cluster."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from monai_sr.batch.archive import ArchiveJob, attempt
from monai_sr.batch.report import Outcome
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.io.atomic import remove_leftovers
from monai_sr.upscaler import MEMORY, Upscaler
from monai_sr.volume import Provenance

CONNECT_SECONDS = 10.0
"""How long a Ray cluster may take to answer."""

RETRIES = 2
"""How often Ray does a task again whose worker or machine was lost."""

AHEAD = 2
"""Tasks for each CPU that Ray holds, so that none waits for the next."""


class RayEngine:
    """Do an archive's jobs on a Ray cluster, each on one CPU; the machines share the folders.

    A worker process keeps the compiled network from job to job. A job whose worker is lost is done again by
    Ray; one whose workers are lost each time is tried once more with half the memory, then reported.

    Args:
        address: of the cluster's head, host:port, or `auto` for the one that runs on this machine.
        options: of `Upscaler.from_bundle`, by which each worker makes its upscaler.
        provenance: what every worker's upscaler has to be.
        out: the archive's output, cleared in the end of what a lost worker left half-written.

    Raises:
        InputError: if Ray is not installed, or no cluster answers, or it has no CPU.
    """

    def __init__(self, address: str, options: Mapping[str, Any], provenance: Provenance, out: Path) -> None:
        self._ray = _connect(address)
        self._options, self._provenance, self._out = {"memory": MEMORY, **options}, provenance, out

    def __call__(self, jobs: Iterator[ArchiveJob]) -> Iterator[Outcome]:
        """Do jobs as there is room for them, and give what became of each as it ends.

        Args:
            jobs: taken one by one.

        Yields:
            In the order in which they end.

        Raises:
            MonaiSRError: if a worker cannot make its upscaler.
        """
        ray = self._ray
        work = ray.remote(num_cpus=1, max_retries=RETRIES)(_work)
        running: dict[Any, tuple[ArchiveJob, int]] = {}

        def begin(job: ArchiveJob, tries: int) -> None:
            options = self._options | {"memory": self._options["memory"] >> tries}
            running[work.remote(tuple(options.items()), self._provenance, job)] = job, tries

        try:
            left = True
            while left or running:
                while left and len(running) < AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1))):
                    job = next(jobs, None)
                    if job is None:
                        left = False
                        break
                    begin(job, 0)
                for ended in ray.wait(list(running))[0] if running else ():
                    job, tries = running.pop(ended)
                    try:
                        yield ray.get(ended)
                    except ray.exceptions.RayTaskError as error:
                        raise MonaiSRError(f"A worker cannot begin: {_cause(error)}") from None
                    except ray.exceptions.RayError:
                        if tries == 0:
                            begin(job, 1)
                        else:
                            reason = "its worker was lost each time, perhaps for want of memory"
                            yield Outcome("failed", job.name, None, job.sources, job.files, reason=reason)
        finally:
            for task in running:
                ray.cancel(task, force=True)
            ray.shutdown()
            remove_leftovers(self._out)


def _connect(address: str) -> Any:
    """The module of Ray, connected to a cluster."""
    try:
        import ray
    except ModuleNotFoundError:
        raise InputError("--engine ray needs ray: pip install 'monai-sr[ray]'.") from None
    remedy = "start one by `ray start --head`, or name another by --address HOST:PORT."
    if address != "auto":
        host, _, port = address.rpartition(":")
        try:
            # Ray itself would go on trying for a minute.
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        except (OSError, ValueError, OverflowError):
            raise InputError(f"No Ray cluster answers at {address}: {remedy}") from None
    try:
        # What workers log stays on their machines.
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError):
        raise InputError(f"No Ray cluster answers at {address}: {remedy}") from None
    if ray.cluster_resources().get("CPU", 0) < 1:
        ray.shutdown()
        raise InputError(f"The Ray cluster at {address} has no CPU to offer: add a machine by `ray start`.")
    return ray


@lru_cache(1)
def _upscaler(options: tuple[tuple[str, Any], ...]) -> Upscaler:
    return Upscaler.from_bundle(**dict(options))


def _work(options: tuple[tuple[str, Any], ...], provenance: Provenance, job: ArchiveJob) -> Outcome:
    """Do a job in a worker process."""
    upscaler = _upscaler(options)
    if upscaler.provenance != provenance:
        raise MonaiSRError(
            f"it has {upscaler.provenance.computation} where this machine has {provenance.computation}, or "
            "other weights: give --runtime and --precision, and the same version of monai-sr everywhere"
        )
    return attempt(upscaler, job)


def _cause(error: Any) -> str:
    """An error's own message where it is ours; any other may hold anything."""
    cause = getattr(error, "cause", None)
    return (
        str(cause) if isinstance(cause, MonaiSRError) else f"{type(cause).__name__}, which was not expected."
    )
