"""Add the number of answered clips that a version is published for, and the task columns."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("n_answered", "n_answered_published"):
        op.add_column("version", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "task_columns",
        sa.Column("project_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
