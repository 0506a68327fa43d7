"""From submit to the next order: a real Label Studio, the served backend, and an annotator.

Tasks carry made-up embeddings, put into the store before, so that only the loop is timed: an
annotation is submitted, and the clock stops when Label Studio's queue (``/next``) serves the
first clip of an order made with it. Also told: the memory of the backend's processes.

    python benchmarks/loop_latency.py [--clips 1260] [--labels 30]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from importer.backend import Backend
from importer.ports import free_port
from importer.project import set_up
from importer.studio import Studio
from ml_backend.clip import content_hash
from ml_backend.embedders.melstats import MelStats
from ml_backend.label_studio import LabelStudio
from ml_backend.settings import Settings
from ml_backend.store import open_store

EMBEDDING_DIM = 384
N_KINDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1260)
    parser.add_argument("--labels", type=int, default=30, help="annotations to submit and time")
    parser.add_argument("--warm", type=int, default=10, help="annotations before timing starts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Studio(folder / "studio", files_root=folder / "files", port=8180) as studio:
            port = free_port(9190)
            environment = {
                "EARMARK_ENV_FILE": os.devnull,
                "EARMARK_DATA": str(folder / "data"),
                "EARMARK_PORT": str(port),
                "EARMARK_SECRET": "of the benchmark",
                "EARMARK_EMBEDDER": "melstats",
                "LABEL_STUDIO_URL": studio.url,
                "LABEL_STUDIO_API_KEY": studio.credentials.token,
            }
            with (folder / "log").open("wb") as log:
                server = subprocess.Popen(
                    [sys.executable, "-m", "importer.cli", "serve"],
                    env={**os.environ, **environment},
                    stdout=log,
                    stderr=log,
                )
            try:
                measure(Settings.from_env(environment), studio.client(), server.pid, options)
            finally:
                server.terminate()
                server.wait(30)


def measure(settings: Settings, studio: LabelStudio, pid: int, options: argparse.Namespace) -> None:
    backend = Backend(settings)
    backend.wait_until(lambda status: status["embedder"] is not None, lambda: True, 60.0)
    report = set_up(
        studio,
        backend_url=settings.backend_url,
        secret=settings.secret,
        title="Latency",
        labels=("siren", "other"),
    )
    kinds = fill(settings, studio, report.project_id, options.clips)
    backend.wait_until(
        lambda status: any(
            one["n_ranked"] == options.clips and not one["is_waiting"] for one in status["projects"]
        ),
        lambda: True,
        600.0,
    )
    submits_s, waits_s = [], []
    for number in range(options.warm + options.labels):
        submit_s, wait_s = one_label(studio, report.project_id, kinds)
        if number >= options.warm:
            submits_s.append(submit_s)
            waits_s.append(wait_s)
    rounds = [
        one["timings_s"] for one in backend.project(report.project_id)["rounds"][: options.labels]
    ]
    p50, p95 = np.percentile(waits_s, [50, 95])
    print(f"{options.clips} clips, {options.labels} labels")
    print(f"submit itself:        p50 {np.percentile(submits_s, 50):.2f} s")
    print(f"submit to new order:  p50 {p50:.2f} s, p95 {p95:.2f} s, max {max(waits_s):.2f} s")
    steps = sorted(rounds[0], key=lambda step: -np.median([one.get(step, 0) for one in rounds]))
    parts = (f"{step} {np.median([one.get(step, 0) for one in rounds]):.2f}" for step in steps)
    print("steps of a round (median s): " + ", ".join(parts))
    print(f"memory of the backend: {memory_mb(pid):.0f} MB")


def fill(settings: Settings, studio: LabelStudio, project_id: int, n_clips: int) -> dict[str, str]:
    """Import tasks whose embeddings are in the store already; give the label of each."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(N_KINDS, EMBEDDING_DIM))
    kinds = rng.integers(N_KINDS, size=n_clips)
    vectors = (centers[kinds] + rng.normal(size=(n_clips, EMBEDDING_DIM))).astype(np.float32)
    hashes = [content_hash(str(number).encode()) for number in range(n_clips)]
    store = open_store(settings.store_url)
    store.clips.add_embeddings(MelStats.embedder_id, hashes, vectors)
    store.close()
    file = "/data/local-files/?d=none"
    shown = {"audio": file, "spectrogram": file, "clip": "none", "meta": {}}
    tasks = [{"data": {**shown, "content_hash": one}} for one in hashes]
    for start in range(0, n_clips, 1000):
        studio.import_tasks(project_id, tasks[start : start + 1000])
    return {one: "siren" if kind == 0 else "other" for one, kind in zip(hashes, kinds, strict=True)}


def one_label(studio: LabelStudio, project_id: int, kinds: dict[str, str]) -> tuple[float, float]:
    """Submit one annotation; give the time of the submit and from there to the new order."""
    task = studio.next_task(project_id)
    before = studio.project(project_id)["model_version"]
    value = {"choices": [kinds[task["data"]["content_hash"]]]}
    result = [{"from_name": "sound", "to_name": "audio", "type": "choices", "value": value}]
    began = time.perf_counter()
    studio.annotate(task["id"], result)
    submitted = time.perf_counter()
    while studio.project(project_id)["model_version"] == before:
        time.sleep(0.05)
    new = studio.next_task(project_id)
    served = time.perf_counter()
    version = studio.project(project_id)["model_version"]
    assert version in {one["model_version"] for one in new["predictions"]}
    return submitted - began, served - submitted


def memory_mb(pid: int) -> float:
    """Add up the resident memory of a process and all that it started."""
    family, total_kb = [pid], 0
    while family:
        one = family.pop()
        for task in Path(f"/proc/{one}/task").iterdir():
            family += [int(child) for child in (task / "children").read_text().split()]
        lines = Path(f"/proc/{one}/status").read_text().splitlines()
        total_kb += next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return total_kb / 1024


if __name__ == "__main__":
    main()
