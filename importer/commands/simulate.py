"""`earmark simulate`: how many labels each strategy saves, on clips whose labels are known."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from importer.commands import output
from ml_backend.errors import SettingsError
from ml_backend.settings import Settings


def simulate(
    table: Annotated[
        Path, typer.Argument(help="A table of clips whose labels are known (CSV, Parquet, ...).")
    ],
    label_column: Annotated[str, typer.Option(help="The column of labels.")] = "label",
    target: Annotated[
        str | None, typer.Option(help="This label against the rest; without it, all classes.")
    ] = None,
    group_column: Annotated[
        str | None, typer.Option(help="The column that names the recording; none is cut in two.")
    ] = None,
    pool: Annotated[
        str | None, typer.Option(help="Clips to ask about: column=value[,value].")
    ] = None,
    test: Annotated[str | None, typer.Option(help="Clips to measure on: column=value.")] = None,
    test_share: Annotated[
        float | None, typer.Option(help="Instead of --test: this share of recordings, by chance.")
    ] = None,
    initial: Annotated[int, typer.Option(help="Labels given first.")] = 40,
    step: Annotated[int, typer.Option(help="Labels per round.")] = 20,
    labels: Annotated[int, typer.Option(help="Labels in the end.")] = 100,
    runs: Annotated[int, typer.Option(help="Runs, each on another nine tenths of the pool.")] = 20,
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="Query strategy; may be given again."),
    ] = None,
    initial_strategy: Annotated[
        list[str] | None,
        typer.Option(
            help="Picks the first labels (default, random, ...); may be given again. "
            "Without it every strategy picks its own."
        ),
    ] = None,
    embedder: Annotated[str, typer.Option(help="mn04, mn10, mn20, mn40 or melstats.")] = "",
    weights: Annotated[Path | None, typer.Option(help="File or folder of weights.")] = None,
    prior: Annotated[
        str,
        typer.Option(help="'names': labels that AudioSet knows by name get a prior; or 'none'."),
    ] = "names",
    threshold: Annotated[
        str, typer.Option(help="Classes are predicted for: balanced, f1 or precision:0.9.")
    ] = "balanced",
    seed: Annotated[int, typer.Option(help="Run r has the seed SEED + r.")] = 0,
    json_: Annotated[
        Path | None, typer.Option("--json", help="Write every run and the summary there.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the curves there (PNG).")] = None,
    root: Annotated[Path | None, typer.Option(help="The folder that the files lie in.")] = None,
    file_column: Annotated[str | None, typer.Option(help="The column of file names.")] = None,
) -> None:
    """Show how many labels each strategy saves, with a table's labels for an annotator.

    Learning and ranking are those of the live loop. Embeddings are kept for the next call.

    Example: [bold]earmark simulate clips.csv --target siren --pool fold=1 --test fold=3[/]
    """
    from importer.commands.curve_report import draw, show
    from importer.commands.labeled_table import read_labeled_table
    from ml_backend.evaluation.learning_curves import compare, summarize
    from ml_backend.evaluation.simulation import Plan
    from ml_backend.evaluation.simulation import simulate as play
    from ml_backend.settings.checks import objective
    from ml_backend.strategies.registry import get_strategy

    with output.explained():
        settings = Settings.from_env()
        if (test is None) == (test_share is None):
            raise SettingsError("Give either --test column=value or --test-share 0.3.")
        if prior not in ("names", "none"):
            raise SettingsError(f"--prior is {prior!r}; it takes 'names' or 'none'.")
        if rule := objective(threshold):
            raise SettingsError(f"--threshold is {threshold!r}; {rule}")
        for path in (json_, plot):
            if path is not None and not path.absolute().parent.is_dir():
                raise SettingsError(f"{path}: there is no folder {path.absolute().parent}.")
        plan = Plan(
            n_initial=initial,
            step=step,
            n_labels=labels,
            n_runs=runs,
            seed=seed,
            audit_share=settings.audit_share,
            objective=threshold,
        )
        strategies = [get_strategy(name) for name in strategy or (settings.strategy, "random")]
        firsts = [get_strategy(name) for name in initial_strategy or ()]
        clips = read_labeled_table(
            table,
            label_column=label_column,
            group_column=group_column,
            pool=pool,
            test=test,
            root=root,
            file_column=file_column,
        )
        trial = _trial(settings, clips, target, test_share, embedder, weights, prior == "names")
        with output.progress("Playing", unit="curves") as advance:
            curves = play(trial, plan, strategies, firsts, advance)
    report = {
        "table": str(table),
        "target": target,
        "embedder": trial.embedder_id,
        "plan": vars(plan),
        "curves": curves,
        "summary": summarize(curves),
        "strategies": compare(curves),
    }
    title = f"{table.parent.name}/{table.name}: {target or 'all classes'}, {runs} runs"
    show(title, report)
    if json_ is not None:
        json_.write_text(json.dumps(report, indent=1), encoding="utf-8")
    if plot is not None:
        draw(plot, title, report)


def _trial(
    settings: Settings,
    clips: Any,
    target: str | None,
    test_share: float | None,
    embedder_name: str,
    weights: Path | None,
    with_prior: bool,
) -> Any:
    """Embed labeled clips, as far as no earlier call did, and say what cannot be used."""
    import numpy as np

    from ml_backend.embedders import load_embedder
    from ml_backend.evaluation.labeled_benchmark import make_trial
    from ml_backend.learning.prior import find_tagger
    from ml_backend.loop.embed_clips import embed_files
    from ml_backend.store import open_store

    weights, cache_dir = weights or settings.weights, settings.data_dir / "weights"
    embedder = load_embedder(embedder_name or settings.embedder, weights, cache_dir)
    if embedder.warning:
        output.complain(embedder.warning, "yellow")
    store = open_store(f"sqlite:///{settings.data_dir.absolute() / 'simulate.db'}")
    with output.progress("Listening to the clips") as advance:
        embedded, embeddings, failed = embed_files(
            store, embedder, clips.clip_keys, clips.paths, advance
        )
    store.close()
    refused = [f"{one.file}: {one.reason}" for one in clips.left_out] + failed
    for line in refused[:5]:
        output.complain(f"  left out: {line}")
    if refused:
        output.complain(f"{len(refused)} clips are left out.", "yellow")
    tagger, why = (None, None)
    if with_prior:
        tagger, why = find_tagger(embedder, weights, cache_dir, settings.names)
    if why:
        output.complain(why, "yellow")

    def prior_of(class_names: Any) -> Any:
        found = tagger.prior(class_names) if tagger else None
        if found is None:
            return None
        for name, matched in zip(class_names, found.names, strict=True):
            known_as = ", ".join(matched) or "nothing"
            output.say(f"  {name}: AudioSet's {known_as}")
        return found.logits(embeddings)

    return make_trial(
        embeddings,
        [clips.labels[row] for row in embedded],
        np.array(clips.recordings, dtype=np.int64)[embedded],
        [clips.clip_keys[row] for row in embedded],
        target=target,
        is_pool=np.array(clips.is_pool)[embedded],
        is_test=None if test_share is not None else np.array(clips.is_test)[embedded],
        test_share=test_share,
        embedder_id=embedder.embedder_id,
        prior_of=prior_of,
    )
