"""An archive on a real Ray cluster of two nodes."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from monai_sr.batch import ray_engine, run_archive
from monai_sr.batch.archive import plan_archive
from monai_sr.batch.ray_engine import RayEngine
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.upscaler import Upscaler
from tests.batch.test_archive import contents, facts

pytestmark = pytest.mark.slow

OPTIONS = {"bundle": "swift_srgan_mri", "runtime": "torch", "device": "cpu"}


@pytest.fixture
def cluster(monkeypatch):
    """A head that does no work, and two nodes of one CPU each."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # A lost node is noticed after seconds, not after half a minute.
    settings = {"health_check_period_ms": 1000, "health_check_failure_threshold": 3}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": settings})
    made.workers = [made.add_node(num_cpus=1) for _ in range(2)]
    yield made
    made.shutdown()


@pytest.fixture
def archive(add_series, tmp_path):
    for series in range(8):
        add_series(tmp_path / "archive", series=series, count=3, size=96)
    (tmp_path / "archive" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "archive"


@pytest.fixture
def upscaler():
    return Upscaler.from_bundle(**OPTIONS)


def engine(cluster, upscaler, out, **options):
    return RayEngine(cluster.address, OPTIONS | options, upscaler.provenance, out)


def test_a_lost_node_loses_nothing_and_doubles_nothing(cluster, archive, upscaler, tmp_path, report):
    expected = run_archive(upscaler, archive, tmp_path / "local")
    ended = []

    def lose_one(outcome, total):
        ended.append(outcome.name)
        if len(ended) == 2:
            cluster.remove_node(cluster.workers[0], allow_graceful=False)

    out = tmp_path / "out"
    summary = run_archive(upscaler, archive, out, engine=engine(cluster, upscaler, out), on_outcome=lose_one)
    assert summary == expected
    assert summary.counts == {"done": 8, "refused": 1}
    assert len(ended) == len(set(ended)) == 9
    assert facts(report(out)) == facts(report(tmp_path / "local"))
    assert contents(out) == contents(tmp_path / "local")
    again = run_archive(upscaler, archive, out, resume=True, engine=engine(cluster, upscaler, out))
    assert again.counts == {"skipped": 8, "refused": 1}


def test_a_worker_that_is_killed_each_time_is_reported(cluster, archive, upscaler, tmp_path, monkeypatch):
    """As the kernel kills what takes too much memory."""

    def killed(options, provenance, job):
        if job.name == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(options, provenance, job)

    work = ray_engine._work
    victim = min(job.name for job in plan_archive(archive, tmp_path / "out")[0] if "series_" in job.name)
    monkeypatch.setattr(ray_engine, "_work", killed)
    out = tmp_path / "out"
    told = []
    summary = run_archive(
        upscaler,
        archive,
        out,
        engine=engine(cluster, upscaler, out),
        on_outcome=lambda outcome, total: told.append(outcome),
    )
    assert summary.counts == {"done": 7, "refused": 1, "failed": 1}
    (failed,) = [outcome for outcome in told if outcome.status == "failed"]
    assert failed.name == victim
    assert "its worker was lost each time, perhaps for want of memory" in failed.reason
    assert not (out / victim).exists()


def test_workers_that_compute_otherwise_are_refused(cluster, archive, upscaler, tmp_path):
    out = tmp_path / "out"
    other = engine(cluster, upscaler, out, bundle="edsr_mri")
    with pytest.raises(MonaiSRError, match=r"A worker cannot begin: it has .* or other weights"):
        run_archive(upscaler, archive, out, engine=other)
    assert not contents(out)


def test_a_cluster_without_a_cpu_is_said(cluster, upscaler, tmp_path):
    for worker in cluster.workers:
        cluster.remove_node(worker)
    with pytest.raises(InputError, match="has no CPU to offer"):
        engine(cluster, upscaler, tmp_path)


def test_no_cluster_is_said(upscaler, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    for wrong in (address, "nowhere", "127.0.0.1:99999"):
        with pytest.raises(InputError, match=f"No Ray cluster answers at {wrong}: start one by"):
            RayEngine(wrong, OPTIONS, upscaler.provenance, tmp_path)
