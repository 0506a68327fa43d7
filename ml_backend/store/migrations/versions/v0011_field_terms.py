"""Rename tables, columns and facts to the field's terms; their content does not change."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COLUMNS = {
    "project": {
        "n_heard": "n_events",
        "n_heard_labels": "n_label_events",
        "n_heard_tasks": "n_task_events",
        "heard_at": "last_event_at",
    },
    "wanted": {"asked_by": "requested_by", "asked_at": "requested_at"},
}


def upgrade() -> None:
    op.rename_table("unheard", "failure")
    op.rename_table("judged", "clip_scores")
    for table, names in _COLUMNS.items():
        for old, new in names.items():
            op.alter_column(table, old, new_column_name=new)
    fact = sa.table("fact", sa.column("name", sa.String))
    op.execute(
        fact.update()
        .where(fact.c.name.startswith("held version of project "))
        .values(name=sa.func.replace(fact.c.name, "held version", "pinned version"))
    )
