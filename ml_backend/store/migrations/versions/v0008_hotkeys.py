"""Add the hotkey of each class."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("project", sa.Column("hotkeys", sa.JSON(), nullable=False, server_default="[]"))
