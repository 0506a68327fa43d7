"""Measure Label Studio's wait for its webhook: 50 requests a second against a served backend.

The backend runs as for a user, with a busy worker: nothing answers at Label Studio's address, so
every hint causes a round that fails and is retried.

    python benchmarks/webhook_latency.py [--rate 50] [--seconds 20]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np

from importer.demo.ports import free_port

SECRET = "of the benchmark"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port(9190)
        environment = {
            **os.environ,
            "EARMARK_ENV_FILE": os.devnull,
            "EARMARK_DATA": folder,
            "EARMARK_PORT": str(port),
            "EARMARK_SECRET": SECRET,
            "EARMARK_EMBEDDER": "melstats",
            "LABEL_STUDIO_URL": "http://127.0.0.1:9",
            "LABEL_STUDIO_API_KEY": "none",
        }
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "importer.cli", "serve"],
                env=environment,
                stdout=log,
                stderr=log,
            )
        try:
            waits_s = _load(f"http://127.0.0.1:{port}", options.rate, options.seconds)
        finally:
            server.terminate()
            server.wait(30)
    p50, p95, p99 = np.percentile(waits_s, [50, 95, 99]) * 1000
    print(
        f"{len(waits_s)} webhooks at {options.rate:.0f}/s: "
        f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, max {max(waits_s) * 1000:.1f} ms"
    )


def _load(url: str, rate: float, seconds: float) -> list[float]:
    headers = {"X-Earmark-Secret": SECRET}
    waits_s: list[float] = []
    with httpx.Client(base_url=url, headers=headers, timeout=10.0) as client:
        _wait(client)
        began = time.perf_counter() + 3.0

        def send(start: int) -> None:
            for number in range(start, int(rate * seconds), 4):
                time.sleep(max(0.0, began + number / rate - time.perf_counter()))
                body = {"action": "ANNOTATION_CREATED", "project": {"id": number % 5 + 1}}
                sent = time.perf_counter()
                client.post("/webhook", json=body).raise_for_status()
                waits_s.append(time.perf_counter() - sent)

        threads = [threading.Thread(target=send, args=(start,)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return waits_s


def _wait(client: httpx.Client) -> None:
    for _ in range(300):
        try:
            client.get("/health").raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit("the backend did not start")


if __name__ == "__main__":
    main()
