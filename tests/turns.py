"""A turn in which everything of a project may have changed."""

from ml_backend.store.agenda import Turn


def whole_turn(project_id):
    """Take a project as a worker does that has heard of everything."""
    return Turn(
        project_id,
        labels_changed=True,
        tasks_changed=True,
        n_settings=1,
        n_events=1,
        n_label_events=1,
        n_task_events=1,
    )
