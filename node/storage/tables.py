"""The tables of a node's database, as SQLAlchemy Core sees them.

One file holds all that must survive: decided blocks, the record of what this node signed, and the
state as of some height.  They share a file because one commit must be able to order them.

    meta                  name -> bytes: genesis hash, flushed height, marks, the snapshot's block
    block                 one small row a height: hash, header, certificate, figures for lists
    body                  the block's bytes as decided, and what executing it told (JSON)
    transaction_location  first 8 bytes of a transaction id -> where it stands
    activity              first 8 bytes of an account -> heights at which the account changed
    state                 the ledger's sorted map as of meta.flushed_height
    election              the election document of a height
    trade_proof           what proves the trades of a block, of the states before and after it
    voting_set            every voting set that ever was, by its digest
    journal               what consensus wrote before it spoke, for the height in progress

`transaction_location`, `activity` and `state` are written behind: some blocks later, in one
transaction that also moves `flushed_height`.  What lies between is in `body` and is executed again
at start.  The schema is created by `node/storage/migrations`; a test holds the two together.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

block = Table(
    "block",
    metadata,
    Column("height", Integer, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("time_ms", Integer, nullable=False),
    Column("view", Integer, nullable=False),
    Column("builder", String, nullable=False),
    Column("transactions", Integer, nullable=False),
    Column("trades", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
)

# Rare blocks, so the index is small; a query must repeat the condition word for word to use it.
# In canonical JSON the key `kind` follows the data, and quotes inside texts are escaped.
TELLS_OF_MEMBERSHIP = (
    """instr(events, '"kind":"member.') > 0 OR instr(events, '"kind":"validators.') > 0"""
    """ OR instr(events, '"kind":"proposal.') > 0 OR instr(events, '"kind":"parameter.') > 0"""
    """ OR instr(events, '"kind":"broker.') > 0"""
)

MEMBERSHIP_KINDS = ("member.", "validators.", "proposal.", "parameter.", "broker.")
"""How the kinds of those events begin."""

body = Table(
    "body",
    metadata,
    Column("height", Integer, primary_key=True, autoincrement=False),
    Column("receipts", LargeBinary, nullable=False),
    Column("events", LargeBinary, nullable=False),
    Column("round", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("ix_body_membership", "height", sqlite_where=text(TELLS_OF_MEMBERSHIP)),
)

transaction_location = Table(
    "transaction_location",
    metadata,
    Column("prefix", Integer, primary_key=True, autoincrement=False),
    Column("height", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

activity = Table(
    "activity",
    metadata,
    Column("account", Integer, primary_key=True, autoincrement=False),
    Column("height", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

state = Table(
    "state",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

election = Table(
    "election",
    metadata,
    Column("height", Integer, primary_key=True, autoincrement=False),
    Column("document", LargeBinary, nullable=False),
)

trade_proof = Table(
    "trade_proof",
    metadata,
    Column("height", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

voting_set = Table(
    "voting_set",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# `slot` says which own votes exclude one another within a view: 1 = notarize, 2 = nullify or
# finalize, 0 = not an own vote.  The unique index is the second lock behind the core's own rules.
journal = Table(
    "journal",
    metadata,
    Column("sequence", Integer, primary_key=True),
    Column("height", Integer, nullable=False),
    Column("view", Integer, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    CheckConstraint("slot in (0, 1, 2)", name="slot"),
    Index(
        "ix_journal_own_vote", "height", "view", "slot", unique=True, sqlite_where=text("slot > 0")
    ),
)
