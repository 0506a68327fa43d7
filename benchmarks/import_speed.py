"""Measure the speed of preparing clips, and of importing them into a running Label Studio.

Preparation alone (decoding, checks, WAV, spectrogram), with one process per core:

    python benchmarks/import_speed.py ../shared/data/us8k_dev/metadata.csv

The whole import, into a temporary project; ``--document-root`` is the folder from which Label
Studio serves local files:

    python benchmarks/import_speed.py SOURCE --url http://127.0.0.1:8080 --token TOKEN \
        --document-root DIR
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import httpx
from threadpoolctl import threadpool_limits

from importer.parallel import prepare_in_parallel
from importer.prepare import PreparedClip, prepare_clips
from importer.push import push_clips
from importer.scan import Clip, scan
from importer.serving import LocalFiles
from ml_backend.label_studio import LabelStudio

LABEL_CONFIG = """
<View>
  <Image name="spectrogram" value="$spectrogram"/>
  <Audio name="audio" value="$audio"/>
  <Choices name="sound" toName="audio"><Choice value="siren"/><Choice value="other"/></Choices>
  <Table name="meta" value="$meta"/>
</View>
"""


def measure_preparation(clips: list[Clip], n_workers: int | None) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        answers = list(prepare_in_parallel(clips, Path(folder), n_workers))
        seconds = time.perf_counter() - started
    n_prepared = sum(isinstance(answer, PreparedClip) for answer in answers)
    return {"clips": n_prepared, "seconds": seconds, "clips_per_s": n_prepared / seconds}


def measure_cpu(clips: list[Clip]) -> float:
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        prepare_clips(clips[:5], Path(folder))  # imports and first uses
        started = time.process_time()
        prepare_clips(clips[5:105], Path(folder))
        return (time.process_time() - started) / len(clips[5:105]) * 1000


def measure_import(
    clips: list[Clip], n_workers: int | None, url: str, token: str, document_root: Path
) -> dict[str, float]:
    label_studio = LabelStudio(url, token)
    project_id = label_studio.create_project(
        title="Benchmark: import", label_config=LABEL_CONFIG.strip()
    )["id"]
    try:
        with (
            tempfile.TemporaryDirectory(dir=document_root) as files,
            tempfile.TemporaryDirectory() as data,
        ):
            how = {
                "files_dir": Path(files),
                "serving": LocalFiles(document_root),
                "data_dir": Path(data),
                "n_workers": n_workers,
            }
            first = push_clips(label_studio, project_id, clips, **how)
            again = push_clips(label_studio, project_id, clips, **how)
    finally:
        httpx.delete(
            f"{url}/api/projects/{project_id}",
            headers={"Authorization": f"Token {token}"},
            timeout=300,
        ).raise_for_status()
    return {
        "clips": first.added,
        "seconds": first.seconds,
        "clips_per_s": first.added / first.seconds,
        "seconds_again": again.seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--workers", type=int, help="processes; one per core unless given")
    parser.add_argument("--url", help="a running Label Studio; without it only preparation is run")
    parser.add_argument("--token", default="", help="a legacy token of it")
    parser.add_argument("--document-root", type=Path, help="from where it serves local files")
    chosen = parser.parse_args()

    clips = [clip for clip in scan(chosen.source) if isinstance(clip, Clip)]
    figures: dict[str, object] = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    figures["cpu_ms_per_clip"] = measure_cpu(clips)
    figures["preparation"] = measure_preparation(clips, chosen.workers)
    if chosen.url:
        figures["import"] = measure_import(
            clips, chosen.workers, chosen.url, chosen.token, chosen.document_root
        )
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
