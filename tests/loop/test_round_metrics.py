"""The live loop's figures, from annotations in Label Studio to the status page."""

import numpy as np
import pytest

from importer.commands import output
from ml_backend.clip import content_hash
from ml_backend.evaluation.intervals import spell_estimate
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.loop.reconcile import Reconciler
from ml_backend.settings import Settings
from ml_backend.store import open_store
from ml_backend.web.api.status import describe
from tests.fake_label_studio import FakeLabelStudio
from tests.turns import whole_turn

pytestmark = pytest.mark.slow

N_CLIPS = 300


class Project:
    """Clips of two kinds that can be told apart, two of a recording; labeled as they are served."""

    def __init__(self, audit_share=0.1):
        rng = np.random.default_rng(0)
        self.studio = FakeLabelStudio()
        self.project_id = self.studio.add_project(
            label_config_xml(("siren", "other"), multi_label=False)
        )
        self.store = open_store("sqlite://")
        recordings = np.arange(N_CLIPS) // 2
        self.is_siren = recordings % 3 == 0
        embeddings = rng.standard_normal((N_CLIPS, 6)) + np.where(self.is_siren, 3, -3)[:, None]
        keys = [content_hash(str(row).encode()) for row in range(N_CLIPS)]
        self.store.clips.add_embeddings("toy-1", keys, embeddings.astype(np.float32))
        self.task_ids = self.studio.add_tasks(
            self.project_id,
            [
                {"audio": "/a.wav", "content_hash": key, "recording_id": str(one)}
                for key, one in zip(keys, recordings, strict=True)
            ],
        )
        self.settings = Settings(audit_share=audit_share, strategy="entropy-coverage")
        self.reconciler = self.start()
        self.store.agenda.hint(self.project_id, now=1.0, tasks=True)
        self.round()

    def start(self):
        return Reconciler(self.store, self.studio.client(), self.settings, "toy-1")

    def round(self):
        turn = whole_turn(self.project_id)
        self.reconciler.reconcile(turn)

    def label(self, n_labels):
        for task_id in self.studio.queue(self.project_id)[:n_labels]:
            kind = "siren" if self.is_siren[self.task_ids.index(task_id)] else "other"
            self.studio.annotate(task_id, kind)
        self.round()

    def accuracy(self):
        return describe(self.store, self.project_id)["accuracy"]


@pytest.fixture(scope="module")
def project():
    labeled = Project()
    for n_labels in (3, 3, 6, 6, 2, 10, 10, 10, 10, 10, 10, 10, 10):
        labeled.label(n_labels)
    return labeled


def test_figures_are_taken_when_there_are_enough_new_labels(project):
    n_labeled = [one["n_labeled"] for one in project.accuracy()["curve"]]
    assert n_labeled == [6, 12, 18, 30, 40, 50, 60, 70, 80, 90, 100]


def test_the_status_tells_both_figures_with_intervals_and_by_class(project):
    accuracy = project.accuracy()
    assert accuracy["n_labeled"] == 100
    pool = accuracy["pool"]
    assert pool["n_clips"] == N_CLIPS - 100
    assert list(pool["classes"]) == ["siren", "other"]
    assert pool["classes"]["siren"]["precision"]["value"] > 0.9
    assert pool["shares_from"] == "calibrated"
    assert accuracy["curve"][-1]["value"] == pool["balanced_accuracy"]["value"]
    assert accuracy["rule"]["objective"] == "f1"
    assert accuracy["n_audit"] == 9  # a tenth of those after the first ten
    for figures in (accuracy["cross_validated"], accuracy["audit"]):
        balanced = figures["balanced_accuracy"]
        assert 0 <= balanced["low"] < balanced["value"] <= balanced["high"] <= 1
        assert list(figures["per_class"]) == ["siren", "other"]
    assert accuracy["cross_validated"]["balanced_accuracy"]["value"] > 0.9


def test_an_easy_question_is_soon_answered(project):
    accuracy = project.accuracy()
    assert accuracy["advice"].startswith("You can probably stop: balanced accuracy is 1.00")
    assert "only 9 randomly sampled clips can confirm it" in accuracy["advice"]
    assert accuracy["stopping"]["is_reached"]
    assert accuracy["stopping"]["rests_on"] == "cross_validated"


def test_figures_and_agreement_outlive_a_restart_and_follow_labels_that_are_taken_back(project):
    before = project.accuracy()
    project.reconciler = project.start()
    for number in list(project.studio.annotations)[-20:]:
        project.studio.take_back(number)
    project.round()
    after = project.accuracy()
    assert after["n_labeled"] == before["n_labeled"] - 20
    assert after["stopping"]["agreement"] > 0.99
    assert [one["n_labeled"] for one in after["curve"]] == [6, 12, 18, 30, 40, 50, 60, 70, 80]
    assert [one["n_labeled"] for one in after["history"]] == [90, 100]


def test_a_project_without_a_slice_has_no_audit_figure():
    project = Project(audit_share=0.0)
    project.label(30)
    assert project.accuracy()["n_audit"] == 0
    assert project.accuracy()["audit"] is None
    assert project.accuracy()["cross_validated"]["balanced_accuracy"]["value"] > 0.9


def test_nothing_is_claimed_before_there_is_a_classifier():
    assert Project().accuracy() is None


def test_the_command_tells_the_figures_in_words(project, capsys):
    output.tell_accuracy(project.accuracy())
    told = " ".join(capsys.readouterr().out.split())
    assert "by cross-validation" in told
    siren = project.accuracy()["pool"]["classes"]["siren"]
    assert f"siren: precision {spell_estimate(siren['precision'])}, recall" in told
    assert "clips without a label; predicted for the best F1" in told
    assert "randomly sampled clips" in told
    assert "by number of labels" in told
    assert f"n = {project.accuracy()['audit']['per_class']['siren']['n']}" in told
    assert project.accuracy()["advice"] in told


def test_the_command_gives_no_advice_while_a_version_is_held(project, capsys):
    accuracy = project.accuracy()
    output.tell_accuracy(accuracy, "earmark-7-abc")
    told = capsys.readouterr().out
    assert accuracy["advice"] not in told
    assert f"measured for {accuracy['model_version']}, not for earmark-7-abc" in told
