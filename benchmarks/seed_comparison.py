"""Measure the labels that a pretrained embedding and a query strategy save: models by strategies.

Run: ``python benchmarks/seed_comparison.py [--runs 20] [--figure docs/seed_comparison.png]``
Draw again: ``python benchmarks/seed_comparison.py --from build/seed_comparison.json --figure ...``

Siren against the rest on ``../shared/data/us8k_dev``. Clips are selected in three ways:

- *at random*;
- *by the seed's rule*: 40 at random, then in rounds of 20 those that are uncertain by logistic
  regression on the embedding and far from all labeled clips;
- *by Earmark*: the live loop from the first label on, with the prior of the name "siren".

The same labels then train every model: *Earmark* (its classifier, which uses the prior),
*logistic regression* (the same classifier without a prior), an *MLP on the embedding*, and, from
log-mel spectrograms alone, an *MLP* and a *CNN from scratch* (``from_scratch.py``). Both
classifiers and both informed strategies use ``training.learn``, as the live loop does.

There are three protocols. In ``splits`` every run tests on another random 30 % of the recordings.
In ``fold 1 -> 3`` and ``fold 3 -> 1`` one official fold is the pool and the other one the test set;
the sirens of fold 3 are 7 clips of 2 recordings, so the first is coarse (one siren is 0.07), and in
the second the pool holds only 5 to 7 sirens. Runs always leave out a tenth of the pool's
recordings. The networks from scratch are trained in ``splits`` only, in the first
``--scratch-runs`` runs.
"""

import argparse
import csv
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from from_scratch import RATE_HZ, log_mel, networks, train
from numpy.typing import NDArray
from seed_figure import draw, print_tables

from ml_backend.audio.reading import read_recording, waveform
from ml_backend.clip import content_hash
from ml_backend.embedders import load_embedder
from ml_backend.evaluation.labeled_benchmark import Trial, make_trial, split
from ml_backend.evaluation.metrics import measure
from ml_backend.evaluation.simulation import Annotator
from ml_backend.learning.features import lay_out
from ml_backend.learning.prior import find_tagger
from ml_backend.strategies.registry import get_strategy

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
CLIPS = SHARED / "data" / "us8k_dev"
CACHE = Path(".earmark")
SIZES = (40, 60, 100, 200, 400)
N_INITIAL, STEP = 40, 20
TARGET = "siren"
CHOICES = ("at random", "by the seed's rule", "by Earmark")
PROTOCOLS = {"splits": (None, None), "fold 1 -> 3": ("1", "3"), "fold 3 -> 1": ("3", "1")}

Rows = NDArray[np.int64]
Model = Callable[[Rows, Rows, int], NDArray[np.float64]]


def hear(
    rows: Sequence[dict[str, str]], embed: Callable[..., NDArray[np.float32]], rate_hz: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return embeddings (n_clips, 384) and log-mel spectrograms, cached on disk."""
    kept = CACHE / "seed_comparison.npz"
    if not kept.is_file():
        recordings = [read_recording(CLIPS / row["file"]) for row in rows]
        embeddings = [embed([waveform(one, rate_hz)]) for one in recordings]
        mels = [log_mel(waveform(one, RATE_HZ)) for one in recordings]
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, embeddings=np.concatenate(embeddings), mels=np.stack(mels))
    with np.load(kept) as cached:
        return cached["embeddings"], cached["mels"]


def trials_of(rows: Sequence[dict[str, str]]) -> tuple[dict[str, Trial], NDArray[np.float32]]:
    """Return a trial per protocol, and all spectrograms."""
    embedder = load_embedder("mn04", SHARED / "weights", CACHE / "weights")
    embeddings, mels = hear(rows, embedder.embed, embedder.sample_rate_hz)
    tagger, reason = find_tagger(embedder, SHARED / "weights", CACHE / "weights")
    if tagger is None:
        raise SystemExit(reason)

    def prior_of(class_names: Sequence[str]) -> NDArray[np.float32] | None:
        prior = tagger.prior(class_names)
        return prior.logits(embeddings) if prior else None

    folds = np.array([row["fold"] for row in rows])
    _, recordings = np.unique([row["recording_id"] for row in rows], return_inverse=True)
    trials = {
        name: make_trial(
            embeddings,
            [row["label"] for row in rows],
            recordings,
            [content_hash(row["file"].encode()) for row in rows],
            target=TARGET,
            is_pool=np.ones(len(rows), dtype=bool) if pool is None else folds == pool,
            is_test=None if test is None else folds == test,
            test_share=0.3 if test is None else None,
            embedder_id=embedder.embedder_id,
            prior_of=prior_of,
        )
        for name, (pool, test) in PROTOCOLS.items()
    }
    return trials, mels


def choose(trial: Trial, pool: Rows, choice: str, seed: int) -> Rows:
    """Return the pool's rows in labeling order."""
    n_labels = min(max(SIZES), len(pool))
    if choice == "by Earmark":
        annotator = Annotator(trial, pool, seed)
        labels = annotator.answer([], get_strategy("default"), n_labels, STEP)
    else:
        annotator = Annotator(dataclasses.replace(trial, prior=None), pool, seed)
        labels = annotator.answer([], get_strategy("random"), N_INITIAL, N_INITIAL)
        rule = "random" if choice == "at random" else "entropy-coverage"
        labels = annotator.answer(labels, get_strategy(rule), n_labels, STEP)
    asked = np.array([one.task_id for one in labels])
    return np.concatenate([asked, np.setdiff1d(pool, asked)])


def models_of(trial: Trial, pool: Rows, mels: NDArray[np.float32]) -> dict[str, Model]:
    """Return the models: functions of training rows, test rows and a seed to probabilities."""

    def classifier(trial: Trial) -> Model:
        def judge(train_rows: Rows, test_rows: Rows, seed: int) -> NDArray[np.float64]:
            annotator = Annotator(trial, pool, seed)
            learned = annotator.learn(annotator.answers_to(train_rows), get_strategy("random"))
            if learned.classifier is None:
                return np.full((len(test_rows), 2), 0.5)
            prior = None if trial.prior is None else trial.prior[test_rows]
            return learned.classifier.probabilities(trial.clips.embeddings[test_rows], prior)

        return judge

    unit = trial.clips.unit
    center = unit[pool].mean(axis=0)
    spread = float(np.sqrt(((unit[pool] - center) ** 2).sum(axis=1).mean()))
    on_embedding = lay_out(center, spread / np.sqrt(unit.shape[1])).rows(unit, None)
    level, scale = (measure_of(mels[pool], axis=(0, 2)) for measure_of in (np.mean, np.std))
    inputs = {
        "embedding": on_embedding.astype(np.float32),
        "spectrogram": (mels - level[:, None]) / scale[:, None],
    }

    def network(reads: str, kind: Any) -> Model:
        return lambda train_rows, test_rows, seed: train(
            kind, inputs[reads], trial.answers, train_rows, test_rows, seed
        )

    models = {
        "Earmark": classifier(trial),
        "logistic regression": classifier(dataclasses.replace(trial, prior=None)),
    }
    kinds = networks(unit.shape[1])
    return models | {name: network(reads, kind) for name, (reads, kind) in kinds.items()}


def play(
    trial: Trial, mels: NDArray[np.float32], run: int, with_scratch: bool
) -> list[dict[str, Any]]:
    """Simulate one run of every strategy, and return the figures of every model."""
    pool, test = split(trial, run)
    truth = np.eye(2, dtype=np.int8)[trial.answers[test]]
    models = models_of(trial, pool, mels)
    if not with_scratch:
        models = {name: one for name, one in models.items() if "scratch" not in name}
    known: dict[tuple[str, bytes], dict[str, float]] = {}
    results = []
    for choice in CHOICES:
        order = choose(trial, pool, choice, run)
        for size in (*(size for size in SIZES if size < len(pool)), "all"):
            train_rows = np.sort(order if size == "all" else order[:size])
            for name, model in models.items():
                # Until strategies differ, and once all is labeled, the labels are the same.
                key = name, train_rows.tobytes()
                if key not in known:
                    known[key] = measure(truth, model(train_rows, test, run), trial.target)
                results.append(
                    {
                        "model": name,
                        "choice": choice,
                        "run": run,
                        "n_labels": size,
                        "n_trained_on": len(train_rows),
                        "n_target": int((trial.answers[train_rows] == trial.target).sum()),
                        **known[key],
                    }
                )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description="Models against choices, siren of us8k_dev.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--scratch-runs", type=int, default=20, help="Of the networks from scratch")
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS)
    parser.add_argument("--json", type=Path, default=Path("build") / "seed_comparison.json")
    parser.add_argument("--from", type=Path, dest="kept", help="Draw what an earlier call kept")
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    if arguments.kept:
        results = json.loads(arguments.kept.read_text(encoding="utf-8"))
    else:
        with (CLIPS / "metadata.csv").open(encoding="utf-8") as file:
            trials, mels = trials_of(list(csv.DictReader(file)))
        results = []
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        for protocol in arguments.protocols:
            for run in range(arguments.runs):
                with_scratch = protocol == "splits" and run < arguments.scratch_runs
                played = play(trials[protocol], mels, run, with_scratch)
                results += [{"protocol": protocol, **row} for row in played]
                arguments.json.write_text(json.dumps(results), encoding="utf-8")
                print(f"{protocol}: run {run + 1} of {arguments.runs}", flush=True)
    print_tables(results)
    if arguments.figure:
        draw([row for row in results if row["protocol"] == "splits"], arguments.figure)


if __name__ == "__main__":
    main()
