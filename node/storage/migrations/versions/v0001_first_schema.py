"""Creates all tables of the first schema.  Frozen: later schemas add files, never edit this one."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _height(name: str = "height") -> "sa.Column[int]":
    return sa.Column(name, sa.Integer, primary_key=True, autoincrement=False)


def _bytes(name: str) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _integer(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer, nullable=False)


def upgrade() -> None:
    """Build the schema that `node/storage/tables.py` describes, from nothing."""
    op.create_table(
        "meta",
        sa.Column("name", sa.String, primary_key=True),
        _bytes("value"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "block",
        _height(),
        _bytes("hash"),
        _integer("time_ms"),
        _integer("view"),
        sa.Column("builder", sa.String, nullable=False),
        _integer("transactions"),
        _integer("trades"),
        _integer("size"),
        _bytes("header"),
        _bytes("certificate"),
        sa.UniqueConstraint("hash", name="uq_block_hash"),
    )
    op.create_table(
        "body", _height(), _bytes("receipts"), _bytes("events"), _bytes("round"), _bytes("data")
    )
    op.create_table(
        "transaction_location",
        _height("prefix"),
        _height("height"),
        _height("position"),
        sqlite_with_rowid=False,
    )
    op.create_table("activity", _height("account"), _height("height"), sqlite_with_rowid=False)
    op.create_table(
        "state",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        _bytes("value"),
        sqlite_with_rowid=False,
    )
    op.create_table("election", _height(), _bytes("document"))
    op.create_table(
        "journal",
        sa.Column("sequence", sa.Integer, primary_key=True),
        _integer("height"),
        _integer("view"),
        _integer("slot"),
        _integer("kind"),
        _bytes("data"),
        sa.CheckConstraint("slot in (0, 1, 2)", name="slot"),
    )
    op.create_index(
        "ix_journal_own_vote",
        "journal",
        ["height", "view", "slot"],
        unique=True,
        sqlite_where=sa.text("slot > 0"),
    )


def downgrade() -> None:
    """Refuse: an older program must not open a newer chain."""
    raise NotImplementedError("this database cannot be taken back to an older schema")
