"""Chores: work for one project after the other, whatever happens to one of them."""

import threading

import pytest

from ml_backend.errors import LabelStudioError
from ml_backend.loop.chores import Chore


class Work:
    """Ends the chore after ``n`` pieces of work; a project in ``errors`` fails."""

    def __init__(self, n, errors):
        self.stop, self.n, self.errors = threading.Event(), n, errors
        self.done, self.refused = [], []

    def __call__(self, project_id, stop):
        assert stop is self.stop
        self.done.append(project_id)
        if len(self.done) == self.n:
            stop.set()
        if project_id in self.errors:
            raise self.errors[project_id]


def do(work, projects=(1, 2, 3)):
    chore = Chore("it fails", 0.0, lambda: projects, work, work.refused.append, retry_s=0.0)
    chore.keep_doing(work.stop)
    return work


@pytest.mark.parametrize("error", [LabelStudioError("no"), ZeroDivisionError()])
def test_a_project_that_fails_stops_no_other_and_is_tried_again(error, caplog):
    work = do(Work(6, {2: error}))
    assert work.done == [1, 2, 3, 1, 2, 3]
    assert caplog.text.count("project 2: it fails") == 2
    assert work.refused == ([2, 2] if isinstance(error, LabelStudioError) else [])


def test_it_ends_between_two_projects():
    assert do(Work(2, {})).done == [1, 2]


def test_projects_may_come_and_go_while_others_are_worked_for():
    projects = {1: None, 2: None}

    def work(project_id, stop):
        projects[project_id + 10] = None
        del projects[project_id]
        if len(done := [one for one in projects if one > 10]) == 2:
            assert done == [11, 12]
            stop.set()

    stop = threading.Event()
    Chore("it fails", 0.0, lambda: projects, work).keep_doing(stop)
    assert stop.is_set()
