"""How many labels do a pretrained embedding and a good choice save? Models against strategies.

Run: ``python benchmarks/seed_comparison.py [--runs 20] [--figure out.png] [--json out.json]``

Siren against the rest on ``../shared/data/us8k_dev``: every run tests on 30 % of the recordings,
drawn anew, and asks about the others. (Fold 3 alone has sirens of two recordings only; with
``--folds`` it is the test set all the same, and fold 1 the pool.) ``simulate``'s annotator gives
the labels: the first 40 at random, the others in rounds of 20 by each strategy, up to the whole
pool. The same labels then train every model:

- *logistic regression*: Earmark's classifier, on the mn04 embedding, without a prior;
- *MLP*: a hidden layer of 64 on the mn04 embedding;
- *MLP, from scratch*: two hidden layers on the log-mel spectrogram;
- *CNN, from scratch*: four convolutions on the log-mel spectrogram.

The networks are trained with a balanced loss for a number of passes that does not look at the test
set. 20 runs take about half an hour of one core; ``--runs 4`` shows the picture in a fifth of that.
"""

import argparse
import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.audio import read_recording, waveform
from ml_backend.embedders import load_embedder
from ml_backend.evaluation import mean_over_runs, measure
from ml_backend.query_strategy import get_strategy
from ml_backend.settings import STRATEGIES
from ml_backend.simulate import Annotator
from ml_backend.trial import Trial, make_trial, split

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
FOLDER = SHARED / "data" / "us8k_dev"
SIZES = (40, 60, 100, 200, 400)
N_INITIAL, STEP = 40, 20
N_SEEN = 6_000  # clips that a network sees in training, each 12 to 60 times
N_MELS, N_FRAMES, RATE_HZ = 64, 64, 22_050
CACHE = Path(".earmark") / "seed_comparison.npz"

Model = Callable[[NDArray[np.int64], NDArray[np.int64], int], NDArray[np.float64]]


def hear(rows: Sequence[dict[str, str]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give embeddings (n_clips, 384) and log-mel spectrograms (n_clips, N_MELS, N_FRAMES)."""
    import librosa

    if CACHE.is_file():
        with np.load(CACHE) as cached:
            return cached["embeddings"], cached["mels"]
    embedder = load_embedder("mn04", SHARED / "weights", Path(".earmark") / "weights")
    embeddings, mels = [], []
    for row in rows:
        recording = read_recording(FOLDER / row["file"])
        embeddings.append(embedder.embed([waveform(recording, embedder.sample_rate_hz)]))
        samples = waveform(recording, RATE_HZ)
        mel = librosa.feature.melspectrogram(
            y=samples, sr=RATE_HZ, n_fft=2048, hop_length=1378, n_mels=N_MELS
        )
        level = librosa.power_to_db(mel, ref=1.0, top_db=None).clip(-80.0)  # (N_MELS, n_frames)
        level = np.pad(level, ((0, 0), (0, N_FRAMES)), constant_values=-80.0)[:, :N_FRAMES]
        mels.append(level.astype(np.float32))
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    np.savez(CACHE, embeddings=np.concatenate(embeddings), mels=np.stack(mels))
    return hear(rows)


def models_of(trial: Trial, pool: NDArray[np.int64], mels: NDArray[np.float32]) -> dict[str, Model]:
    """Give the models: rows to train on, rows to judge and a seed in, probabilities out."""
    from torch import nn

    embeddings = trial.clips.embeddings

    def logistic(train: NDArray[np.int64], test: NDArray[np.int64], seed: int) -> Any:
        annotator = Annotator(trial, pool, seed)
        fitted = annotator.learn(annotator.answers_to(train), get_strategy("random")).classifier
        if fitted is None:
            return np.full((len(test), 2), 0.5)
        return fitted.probabilities(embeddings[test])

    def network(inputs: NDArray[np.float32], make: Callable[[], nn.Module], rate: float) -> Model:
        return lambda train, test, seed: train_network(
            inputs, trial.answers, train, test, make, rate, seed
        )

    def small() -> nn.Module:
        return nn.Sequential(
            nn.Linear(embeddings.shape[1], 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 2)
        )

    def full() -> nn.Module:
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(N_MELS * N_FRAMES, 128), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(64, 2),
        )  # fmt: skip

    def convolutions() -> nn.Module:
        layers: list[nn.Module] = []
        for n_in, n_out in [(1, 8), (8, 16), (16, 32), (32, 64)]:
            layers += [
                nn.Conv2d(n_in, n_out, 3, padding=1),
                nn.BatchNorm2d(n_out),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 2)
        )

    return {
        "logistic regression": logistic,
        "MLP": network(embeddings, small, 1e-3),
        "MLP, from scratch": network(mels, full, 3e-4),
        "CNN, from scratch": network(mels[:, None], convolutions, 1e-3),
    }


def train_network(
    inputs: NDArray[np.float32],
    answers: NDArray[np.int64],
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    make: Callable[[], Any],
    rate: float,
    seed: int,
) -> Any:
    """Train on standardized inputs, classes balanced by the loss; give probabilities of test."""
    import torch

    torch.manual_seed(seed)
    counts = np.bincount(answers[train], minlength=2)
    if not counts.all():
        return np.full((len(test), 2), 0.5)
    axes = 0 if inputs.ndim == 2 else tuple(range(inputs.ndim))
    mean, std = inputs[train].mean(axis=axes), inputs[train].std(axis=axes) + 1e-6
    rows = torch.from_numpy((inputs[train] - mean) / std)
    truth = torch.from_numpy(answers[train])
    loss_of = torch.nn.CrossEntropyLoss(torch.tensor(len(train) / (2 * counts)).float())
    network = make()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-2)
    n_passes = int(np.clip(N_SEEN / len(train), 12, 60))
    network.train()
    for _ in range(n_passes):
        for batch in torch.randperm(len(train)).split(16):
            if len(batch) > 1:  # batch normalization needs two
                optimizer.zero_grad()
                loss_of(network(rows[batch]), truth[batch]).backward()
                optimizer.step()
    network.eval()
    with torch.inference_mode():
        logits = network(torch.from_numpy((inputs[test] - mean) / std))
    return torch.softmax(logits.double(), dim=1).numpy()


def label(trial: Trial, pool: NDArray[np.int64], strategy: str, seed: int) -> NDArray[np.int64]:
    """Give the pool's rows in the order of being labeled."""
    annotator = Annotator(trial, pool, seed)
    labels = annotator.answer([], get_strategy("random"), N_INITIAL, N_INITIAL)
    labels = annotator.answer(labels, get_strategy(strategy), max(SIZES), STEP)
    asked = np.array([one.task_id for one in labels])
    return np.concatenate([asked, np.setdiff1d(pool, asked)])


def main() -> None:
    parser = argparse.ArgumentParser(description="Models against strategies, siren of us8k_dev.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--strategies", nargs="+", default=["random", STRATEGIES[0]])
    parser.add_argument("--folds", action="store_true", help="Pool fold 1, test fold 3.")
    parser.add_argument("--models", nargs="+", default=None, help="Some of the models only.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    with (FOLDER / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    embeddings, mels = hear(rows)
    folds = np.array([int(row["fold"]) for row in rows])
    _, recordings = np.unique([row["recording_id"] for row in rows], return_inverse=True)
    share = None if arguments.folds else 0.3
    trial = make_trial(
        embeddings,
        [row["label"] for row in rows],
        recordings,
        [row["file"] for row in rows],
        target="siren",
        is_pool=folds == 1 if share is None else np.ones(len(rows), dtype=bool),
        is_test=folds == 3 if share is None else None,
        test_share=share,
        embedder_id="mn04",
    )
    results: list[dict[str, Any]] = []
    for run in range(arguments.runs):
        pool, test = split(trial, run)
        models = models_of(trial, pool, mels)
        known: dict[tuple[str, bytes], dict[str, float]] = {}
        for strategy in arguments.strategies:
            order = label(trial, pool, strategy, run)
            for size in (*SIZES, len(pool)):
                train = np.sort(order[:size])
                for name in arguments.models or models:
                    # Until strategies part, and once all is labeled, the labels are the same.
                    key = name, train.tobytes()
                    if key not in known:
                        probabilities = models[name](train, test, run)
                        truth = np.eye(2, dtype=np.int8)[trial.answers[test]]
                        known[key] = measure(truth, probabilities, 0)
                    results.append(
                        {
                            "model": name,
                            "strategy": strategy,
                            "run": run,
                            "n_labels": size if size in SIZES else "all",
                            "n_trained_on": size,
                            **known[key],
                        }
                    )
        print(f"run {run + 1} of {arguments.runs}", flush=True)
    print_table(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results), encoding="utf-8")
    if arguments.figure:
        draw(results, arguments.figure)


def curves_of(results: Sequence[dict[str, Any]]) -> dict[tuple[str, str], dict[Any, Any]]:
    """Give, by model and strategy, the runs' figures by number of labels."""
    curves: dict[tuple[str, str], dict[Any, Any]] = {}
    for row in results:
        points = curves.setdefault((row["model"], row["strategy"]), {})
        points.setdefault(row["n_labels"], []).append((row["balanced_accuracy"], row["f1"]))
    return curves


def print_table(results: Sequence[dict[str, Any]]) -> None:
    print("Balanced accuracy, mean ± standard deviation (F1 of siren)")
    print("| model | labels chosen by |", *(f"{n} |" for n in (*SIZES, "all")))
    print("|---|---|", *("---|" for _ in (*SIZES, "all")))
    for (model, strategy), points in curves_of(results).items():
        cells = []
        for runs in points.values():
            accuracy, f1 = np.array(runs).T
            cells.append(f"{accuracy.mean():.3f} ± {accuracy.std():.3f} ({f1.mean():.2f})")
        print("|", model, "|", strategy, "|", " | ".join(cells), "|")


def draw(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw balanced accuracy against labels, with the 95 % intervals of the means."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    n_all = round(float(np.mean([r["n_trained_on"] for r in results if r["n_labels"] == "all"])))
    curves = curves_of(results)
    colors = dict(
        zip(dict.fromkeys(model for model, _ in curves), ("C3", "C1", "C0", "C2"), strict=False)
    )
    styles = dict(
        zip(dict.fromkeys(strategy for _, strategy in curves), ["--o", "-s", ":^"], strict=False)
    )
    figure, axis = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for (model, strategy), points in curves.items():
        n_labels = [n_all if n == "all" else n for n in points]
        spreads = [mean_over_runs([accuracy for accuracy, _ in runs]) for runs in points.values()]
        means = [spread["mean"] for spread in spreads]
        color = colors[model]
        axis.plot(n_labels, means, styles[strategy], color=color, label=f"{model}, {strategy}")
        if spreads[0]["low"] is not None:
            low, high = ([spread[end] for spread in spreads] for end in ("low", "high"))
            axis.fill_between(n_labels, low, high, color=color, alpha=0.12, linewidth=0)
    axis.set_xscale("log")
    axis.set_xticks([*SIZES, n_all], [*map(str, SIZES), "all"])
    axis.minorticks_off()
    axis.set_xlabel("labels")
    axis.set_ylabel("balanced accuracy, siren against the rest")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
