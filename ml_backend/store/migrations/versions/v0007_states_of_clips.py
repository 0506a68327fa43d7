"""Store the state of every annotated clip; the next round reads those of unusable ones."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("label", sa.Column("state", sa.String(16), nullable=False, server_default="tied"))
    op.execute(sa.text("UPDATE label SET state = 'labeled' WHERE CAST(labels AS TEXT) <> 'null'"))
    op.execute(sa.text("UPDATE label SET state = 'skipped' WHERE is_skipped"))
    op.drop_column("label", "is_skipped")
