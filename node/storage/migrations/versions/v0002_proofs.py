"""Adds what light clients ask for: witnesses of trades, and the voting sets of the past."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables; for blocks stored before them they stay empty, and proofs are not served."""
    op.create_table(
        "trade_proof",
        sa.Column("height", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "voting_set",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Refuse: an older program must not open a newer chain."""
    raise NotImplementedError("this database cannot be taken back to an older schema")
