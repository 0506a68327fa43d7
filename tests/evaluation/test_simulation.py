"""Simulated runs: the live loop's order, fair comparisons, questions that are refused."""

import re

import numpy as np
import pytest

from importer.commands.curve_report import draw, show
from ml_backend.clip import content_hash
from ml_backend.errors import SourceError
from ml_backend.evaluation.intervals import N_RUNS_LEAST
from ml_backend.evaluation.labeled_benchmark import make_trial, split
from ml_backend.evaluation.learning_curves import compare, summarize
from ml_backend.evaluation.metrics import FIGURES
from ml_backend.evaluation.simulation import N_HEAD, Annotator, Plan, simulate
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.loop.publish import FIRST, N_OPENED
from ml_backend.loop.reconcile import Reconciler
from ml_backend.settings import Settings
from ml_backend.store import open_store
from ml_backend.strategies.registry import get_strategy
from tests.fake_label_studio import FakeLabelStudio

N_CLIPS = 120
RANDOM = get_strategy("random")
CHOSEN = get_strategy("entropy-coverage")


def clips(n_clips=N_CLIPS, seed=0):
    """Every fourth clip a siren; two clips a recording; half of them in the pool."""
    rng = np.random.default_rng(seed)
    recordings = np.arange(n_clips) // 2
    is_siren = recordings % 4 == 0
    embeddings = rng.standard_normal((n_clips, 8)).astype(np.float32)
    embeddings[is_siren, 0] += 4.0
    labels = np.where(is_siren, "siren", np.where(recordings % 2, "drill", "dog")).tolist()
    keys = [content_hash(str(row).encode()) for row in range(n_clips)]
    return {
        "embeddings": embeddings,
        "labels": labels,
        "recordings": recordings,
        "clip_keys": keys,
        "target": "siren",
        "is_pool": np.arange(n_clips) < n_clips // 2,
        "is_test": np.arange(n_clips) >= n_clips // 2,
        "test_share": None,
        "embedder_id": "toy-1",
    }


def trial_of(**changed):
    given = {**clips(), **changed}
    arrays = [given.pop(name) for name in ("embeddings", "labels", "recordings", "clip_keys")]
    return make_trial(*arrays, **given)


PLAN = Plan(n_initial=10, step=5, n_labels=20, n_runs=3, seed=0)


@pytest.mark.slow
def test_every_run_and_round_is_reported_once():
    curves = simulate(trial_of(), PLAN, [CHOSEN, RANDOM], [RANDOM])
    places = [(row["strategy"], row["run"], row["n_labels"]) for row in curves]
    assert len(places) == len(set(places)) == 2 * 3 * 3
    assert {row["n_labels"] for row in curves} == {10, 15, 20}
    assert all(row[figure] >= 0 for row in curves for figure in FIGURES)
    assert all(sum(row["per_class"].values()) == row["n_labels"] for row in curves)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_figures_and_another_one_others():
    once, again = (simulate(trial_of(), PLAN, [RANDOM], [RANDOM]) for _ in range(2))
    other = simulate(trial_of(), Plan(10, 5, 20, 3, seed=100), [RANDOM], [RANDOM])
    assert once == again
    assert [row["log_loss"] for row in once] != [row["log_loss"] for row in other]


@pytest.mark.slow
def test_without_an_initial_strategy_each_picks_its_own_first_labels():
    own = simulate(trial_of(), PLAN, [CHOSEN, RANDOM])
    apart = [row for one in (CHOSEN, RANDOM) for row in simulate(trial_of(), PLAN, [one], [one])]
    by_run = sorted(apart, key=lambda row: row["run"])
    assert own == by_run


@pytest.mark.slow
def test_strategies_with_the_same_initial_one_begin_with_the_same_labels():
    curves = simulate(trial_of(), PLAN, [CHOSEN, RANDOM], [RANDOM])
    first = {
        strategy: [row["log_loss"] for row in curves if row["strategy"] == strategy][::3]
        for strategy in (CHOSEN.name, RANDOM.name)
    }
    assert first[CHOSEN.name] == first[RANDOM.name]


def test_what_is_random_in_a_strategy_is_the_runs_own():
    trial = trial_of()
    pool = np.flatnonzero(trial.is_pool)
    orders = [Annotator(trial, pool, seed).learn([], RANDOM).order.tolist() for seed in (0, 0, 1)]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


@pytest.mark.parametrize("changed", [{}, {"test_share": 0.3, "is_test": None}])
def test_no_recording_is_asked_about_and_measured_on(changed):
    trial = trial_of(**changed)
    pools = set()
    for seed in range(10):
        pool, test = split(trial, seed)
        recordings = trial.clips.recordings
        assert not set(recordings[pool]) & set(recordings[test])
        assert np.bincount(recordings[pool])[recordings[pool]].min() == 2  # none cut in two
        pools.add(tuple(pool))
    assert len(pools) == 10


def test_a_run_ends_with_the_smallest_pool():
    curves = simulate(trial_of(), Plan(50, 20, 500, 2, 0), [RANDOM], [RANDOM])
    assert {row["n_labels"] for row in curves} == {50, 54}


@pytest.mark.slow
def test_the_live_loop_asks_in_the_order_that_is_simulated(tmp_path):
    """One state, two ways: through Label Studio, store and webhook, or by the table's labels."""
    trial = trial_of()
    settings = Settings(data_dir=tmp_path, strategy=CHOSEN.name, audit_share=0.1, head_size=N_HEAD)
    pool = np.flatnonzero(trial.is_pool)
    annotator = Annotator(trial, pool, seed=5, audit_share=settings.audit_share)
    studio = FakeLabelStudio()
    project_id = studio.add_project(label_config_xml(("siren", "other"), multi_label=False))
    rows = np.flatnonzero(trial.is_pool)
    task_ids = studio.add_tasks(
        project_id,
        [
            {
                "audio": f"/data/{row}.wav",
                "content_hash": trial.clips.clip_keys[row],
                "recording_id": str(trial.clips.recordings[row]),
            }
            for row in rows
        ],
    )
    task_of = dict(zip(rows.tolist(), task_ids, strict=True))
    store = open_store("sqlite://")
    keys = [trial.clips.clip_keys[row] for row in rows]
    store.clips.add_embeddings("toy-1", keys, trial.clips.embeddings[rows])
    reconciler = Reconciler(store, studio.client(), settings, "toy-1")
    labels, fronts = [], set()
    for n_more in (0, 8, 1, 13, 15):
        new = annotator.answers_to(annotator.learn(labels, CHOSEN).order[:n_more])
        for one in new:
            studio.annotate(task_of[one.task_id], *one.labels)
        labels = labels + new
        store.agenda.hint(project_id, now=1.0, tasks=True)
        reconciler.reconcile(store.agenda.take(project_id, now=2.0, lease_s=-1.0))
        simulated = [task_of[row] for row in annotator.learn(labels, CHOSEN).order.tolist()]
        queue = studio.queue(project_id)
        assert queue[:FIRST] == simulated[:FIRST]
        # What was in front before may be open: it was handed over before the head was ranked.
        ranked = [[one for one in order if one not in fronts] for order in (queue, simulated)]
        assert ranked[0] == ranked[1]
        assert sorted(queue) == sorted(simulated)
        fronts.update(queue[:N_OPENED])
    assert len({name for one in labels for name in one.labels}) == 2


@pytest.mark.slow
def test_a_summary_holds_means_intervals_and_paired_differences():
    curves = simulate(trial_of(), PLAN, [CHOSEN, RANDOM], [RANDOM])
    rows = summarize(curves)
    chosen = [row for row in rows if row["strategy"] == CHOSEN.name]
    assert [row["n_labels"] for row in chosen] == [10, 15, 20]
    for row in chosen:
        of = {
            name: [
                one["balanced_accuracy"]
                for one in curves
                if (one["strategy"], one["n_labels"]) == (name, row["n_labels"])
            ]
            for name in (CHOSEN.name, RANDOM.name)
        }
        assert row["balanced_accuracy"]["mean"] == pytest.approx(np.mean(of[CHOSEN.name]))
        gain = np.subtract(of[CHOSEN.name], of[RANDOM.name])
        assert row["difference"]["balanced_accuracy"]["mean"] == pytest.approx(gain.mean())
    assert all(row["difference"] is None for row in rows if row["strategy"] == RANDOM.name)


@pytest.mark.slow
@pytest.mark.parametrize("n_runs", [1, 2, 5])
def test_what_is_printed_and_drawn_is_possible_and_few_runs_are_called_few(
    n_runs, tmp_path, capsys, monkeypatch
):
    plan = Plan(n_initial=10, step=5, n_labels=20, n_runs=n_runs, seed=0)
    curves = simulate(trial_of(), plan, [CHOSEN, RANDOM])
    report = {"plan": vars(plan), "summary": summarize(curves), "strategies": compare(curves)}
    show("street", report)
    printed = capsys.readouterr().out
    drawn = []
    monkeypatch.setattr(
        "matplotlib.figure.Figure.savefig", lambda figure, *_, **__: drawn.append(figure)
    )
    draw(tmp_path / "curves.png", "street", report)
    (figure,) = drawn
    heights = [axis.get_ylim() for axis in figure.axes]
    assert all(-0.1 < low < high < 1.1 for low, high in heights)
    brackets = re.findall(r"\[([-+.\d]+), ([-+.\d]+)\]", printed)
    assert all(-1 <= float(low) <= float(high) <= 1 for low, high in brackets)
    is_few = n_runs < N_RUNS_LEAST
    for words in (printed, figure.get_suptitle()):
        assert (f"{n_runs} run" in words and "too few for an interval" in words) == is_few
    assert (brackets == []) == is_few


def test_random_from_the_start_is_the_baseline_where_it_was_played():
    def row(strategy, initial, accuracy):
        figures = dict.fromkeys(FIGURES, accuracy)
        names = {"strategy": strategy, "initial_strategy": initial}
        return {**names, "run": 0, "seed": 0, "n_labels": 40, **figures}

    curves = [row("x", "x", 0.9), row("random", "x", 0.8), row("random", "random", 0.7)]
    gain = summarize(curves)[0]["difference"]["balanced_accuracy"]["mean"]
    assert gain == pytest.approx(0.2)
    gain = summarize(curves[:2])[0]["difference"]["balanced_accuracy"]["mean"]
    assert gain == pytest.approx(0.1)
    assert compare(curves)[2]["label_efficiency"] is None


REFUSED = [
    ({"target": "whistle"}, "No clip has the label 'whistle'; there are dog, drill, siren"),
    ({"labels": ["siren"] * N_CLIPS}, "All clips have the label 'siren'"),
    ({"is_pool": np.zeros(N_CLIPS, bool)}, "The pool has no labeled clips"),
    ({"is_pool": np.arange(N_CLIPS) < 2}, "The pool has only clips of 'siren'"),
    ({"is_test": np.arange(N_CLIPS) >= N_CLIPS - 6}, "The test has only clips of 'other'"),
    ({"is_pool": np.arange(N_CLIPS) < 61}, "1 recordings have clips both in the pool and in"),
    ({"clip_keys": ["same"] * N_CLIPS}, "The sound same has two labels, 'siren' and 'drill'"),
]


@pytest.mark.parametrize(("changed", "reason"), REFUSED)
def test_a_question_that_the_clips_cannot_answer_is_refused(changed, reason):
    with pytest.raises(SourceError, match=reason):
        trial_of(**changed)


def test_an_embedding_that_is_no_number_is_named():
    embeddings = clips()["embeddings"].copy()
    embeddings[3, 2] = np.nan
    with pytest.raises(SourceError, match=rf"{clips()['clip_keys'][3]} is not finite"):
        trial_of(embeddings=embeddings)


def test_a_pool_smaller_than_the_initial_labels_is_refused():
    with pytest.raises(SourceError, match=r"The pool has 54 clips .* 55 initial labels"):
        simulate(trial_of(), Plan(55, 5, 60, 2, 0), [RANDOM], [RANDOM])


@pytest.mark.parametrize("plan", [Plan(0, 5, 9, 1, 0), Plan(9, 0, 9, 1, 0), Plan(9, 5, 8, 1, 0)])
def test_a_plan_that_makes_no_sense_is_refused(plan):
    with pytest.raises(SourceError, match="all must be 1 or more"):
        simulate(trial_of(), plan, [RANDOM], [RANDOM])


def test_a_share_that_leaves_a_class_out_is_refused():
    labels = ["siren"] * 2 + ["other"] * (N_CLIPS - 2)
    with pytest.raises(SourceError, match="too few recordings"):
        split(trial_of(labels=labels, test_share=0.3, is_test=None), 0)
