"""Two annotators at once: how often a clip is served to both, or without a prediction.

A real Label Studio (embedded, on SQLite; or on a PostgreSQL of its own) and the served backend;
tasks carry made-up embeddings, put into the store before. Each annotator asks for the next clip,
looks at it for a moment, and answers, in a thread of its own. A clip is served without a
prediction where it has none of the version that Label Studio follows when it writes its answer.

    python benchmarks/two_annotators.py [--postgres] [--clips 2000] [--labels 200]
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.loop_latency import fill
from importer.backend import Backend
from importer.ports import free_port
from importer.project import set_up
from importer.studio import Studio
from ml_backend.errors import LabelStudioError
from ml_backend.label_studio import LabelStudio
from ml_backend.settings import Settings
from tests.live.served import join
from tests.postgres import create_database, postgres_server


@dataclass(frozen=True)
class Served:
    """One clip that an annotator was given, how, and in what time."""

    task_id: int
    who: int
    n_predictions: int
    queue: str
    asked_s: float
    is_switched: bool
    n_errors: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="instead of SQLite")
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--labels", type=int, default=200, help="clips to answer, both together")
    parser.add_argument("--look", type=float, default=0.3, help="mean s between clip and answer")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, database(options.postgres) as environment:
        folder = Path(name)
        with Studio(
            folder / "studio",
            files_root=folder / "files",
            port=free_port(0),
            database_env=environment,
        ) as studio:
            settings = settings_beside(studio, folder)
            with (folder / "log").open("wb") as log:
                server = subprocess.Popen(
                    [sys.executable, "-m", "importer.cli", "serve"],
                    env={**os.environ, **settings},
                    stdout=log,
                    stderr=log,
                )
            try:
                measure(Settings.from_env(settings), studio, options)
            finally:
                server.terminate()
                server.wait(30)


@contextmanager
def database(is_postgres: bool) -> Iterator[dict[str, str]]:
    """Give Label Studio's variables for its database."""
    if not is_postgres:
        yield {}
        return
    with postgres_server() as address:
        create_database(address, "studio")
        there = urlsplit(address)
        yield {
            "DJANGO_DB": "default",
            "POSTGRE_NAME": "studio",
            "POSTGRE_USER": str(there.username),
            "POSTGRE_PASSWORD": "",
            "POSTGRE_HOST": str(there.hostname),
            "POSTGRE_PORT": str(there.port),
        }


def settings_beside(studio: Studio, folder: Path) -> dict[str, str]:
    """Give the backend's variables."""
    return {
        "EARMARK_ENV_FILE": os.devnull,
        "EARMARK_DATA": str(folder / "data"),
        "EARMARK_PORT": str(free_port(0)),
        "EARMARK_SECRET": "of the benchmark",
        "EARMARK_EMBEDDER": "melstats",
        "LABEL_STUDIO_URL": studio.url,
        "LABEL_STUDIO_API_KEY": studio.credentials.token,
    }


def measure(settings: Settings, studio: Studio, options: argparse.Namespace) -> None:
    backend, owner = Backend(settings), studio.client()
    backend.wait_until(lambda status: status["embedder"] is not None, lambda: True, 60.0)
    report = set_up(
        owner,
        backend_url=settings.backend_url,
        secret=settings.secret,
        title="Two annotators",
        labels=("siren", "other"),
    )
    kinds = fill(settings, owner, report.project_id, options.clips)
    backend.wait_until(
        lambda status: any(
            one["n_ranked"] == options.clips and not one["is_waiting"] for one in status["projects"]
        ),
        lambda: True,
        600.0,
    )
    annotators = [owner, LabelStudio(studio.url, join(studio, "second@earmark.local"))]
    served: list[Served] = []
    threads = [
        threading.Thread(
            target=annotate,
            args=(who, one, report.project_id, kinds, served, options),
        )
        for who, one in enumerate(annotators)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tell(served, time.perf_counter() - began)


def annotate(
    who: int,
    label_studio: LabelStudio,
    project_id: int,
    kinds: dict[str, str],
    served: list[Served],
    options: argparse.Namespace,
) -> None:
    """Answer clip after clip until both together have answered enough."""
    rng = random.Random(who)
    while len(served) < options.labels:
        before = label_studio.project(project_id)["model_version"]
        began, n_errors, task = time.perf_counter(), 0, None
        while task is None:
            try:
                task = label_studio.next_task(project_id)
            except LabelStudioError:  # SQLite: "database is locked"; people press the button again
                n_errors += 1
        asked_s = time.perf_counter() - began
        after = label_studio.project(project_id)["model_version"]
        served.append(
            Served(
                task["id"],
                who,
                len(task["predictions"]),
                task["queue"],
                asked_s,
                before != after,
                n_errors,
            )
        )
        time.sleep(rng.expovariate(1 / options.look))
        value = {"choices": [kinds[task["data"]["content_hash"]]]}
        said = {"from_name": "sound", "to_name": "audio", "type": "choices", "value": value}
        label_studio.annotate(task["id"], [said])


def tell(served: list[Served], took_s: float) -> None:
    """Print what happened."""
    by_task = Counter(one.task_id for one in served)
    doubles = [task_id for task_id, n in by_task.items() if n > 1]
    bare = [one for one in served if not one.n_predictions]
    asked_s = [one.asked_s for one in served]
    print(f"{len(served)} clips served in {took_s:.0f} s")
    print(f"next: p50 {np.percentile(asked_s, 50):.2f} s, p95 {np.percentile(asked_s, 95):.2f} s")
    print(f"served to both: {len(doubles)}")
    for task_id in doubles:
        for one in served:
            if one.task_id == task_id:
                print(f"  {one}")
    n_switched = sum(one.is_switched for one in bare)
    print(f"without a prediction: {len(bare)}, {n_switched} of them while the version was switched")
    print(f"  by queue: {dict(Counter(one.queue for one in bare))}")
    print(f"queues: {dict(Counter(one.queue for one in served))}")
    print(f"switched meanwhile: {sum(one.is_switched for one in served)}")
    print(f"errors: {sum(one.n_errors for one in served)}")


if __name__ == "__main__":
    main()
