"""Add the data of pages about all clips: metadata, scores and maps."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _key(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def upgrade() -> None:
    op.add_column(
        "project",
        sa.Column("multi_label", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "sheet",
        _key("project_id", sa.Integer()),
        _key("place", sa.Integer()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "judged",
        _key("project_id", sa.Integer()),
        sa.Column("stamp", sa.String(64), nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "map",
        _key("project_id", sa.Integer()),
        _key("embedder_id", sa.String(64)),
        _key("locality", sa.Integer()),
        sa.Column("stamp", sa.String(64), nullable=False, server_default=""),
        sa.Column("n_fitted", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("content", sa.LargeBinary()),
        sa.Column("is_wanted", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("progress", sa.Float(), nullable=False, server_default="0"),
        sa.Column("state", sa.Text(), nullable=False, server_default=""),
    )
