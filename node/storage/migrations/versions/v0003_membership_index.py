"""Adds the index of blocks that tell something about members, sets, proposals or brokers."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TELLS_OF_MEMBERSHIP = (
    """instr(events, '"kind":"member.') > 0 OR instr(events, '"kind":"validators.') > 0"""
    """ OR instr(events, '"kind":"proposal.') > 0 OR instr(events, '"kind":"parameter.') > 0"""
    """ OR instr(events, '"kind":"broker.') > 0"""
)


def upgrade() -> None:
    """Index the few such blocks by height; looks once at the events of every stored block."""
    op.create_index(
        "ix_body_membership", "body", ["height"], sqlite_where=sa.text(TELLS_OF_MEMBERSHIP)
    )


def downgrade() -> None:
    """Refuse: an older program must not open a newer chain."""
    raise NotImplementedError("this database cannot be taken back to an older schema")
