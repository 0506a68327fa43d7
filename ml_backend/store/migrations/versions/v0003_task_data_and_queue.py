"""Add the metadata of tasks, and the clips that are requested first."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task", sa.Column("data", sa.JSON()))
    op.create_table(
        "wanted",
        sa.Column("project_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("where", sa.Text()),
        sa.Column("task_ids", sa.JSON()),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
    )
