"""A small chain that one member writes to its database, and that can go on."""

from __future__ import annotations

from pathlib import Path

from node.application.application import Application
from node.application.startup import open_application
from node.storage.store import Store
from tests.node.small_chain import (
    FLEETS,
    MEMBERS,
    PEOPLE,
    Wallet,
    ask,
    bid,
    build,
    decide,
    fresh_application,
    make_genesis,
    options,
)

GENESIS = make_genesis()
HEIGHTS = 7


def open_node(directory: Path) -> tuple[Store, Application]:
    store = Store.open(directory, GENESIS.hash)
    return store, open_application(store, GENESIS, options(0), store.commit_block)


def run_chain(directory: Path, heights: int = HEIGHTS) -> Application:
    """Member 0 writes to a database, the others only take part."""
    store, first = open_node(directory)
    advance([first, *(fresh_application(GENESIS, index) for index in (1, 2, 3))], heights)
    store.close()
    return first


def advance(nodes: list[Application], last: int, wallet: Wallet | None = None) -> Wallet:
    """All nodes decide the blocks up to `last`; to go on later, hand in the wallet again."""
    first = nodes[0]
    wallet = wallet or Wallet(first.chain)
    for height in range(first.head.height + 1, last + 1):
        transactions = [wallet.pay(PEOPLE[height % 5], PEOPLE[height % 7 + 5])]
        if height == 1:
            transactions.append(wallet.sign(FLEETS[0], bid()))
            transactions.append(wallet.sign(MEMBERS[1], ask()))
        for node in nodes:
            for transaction in transactions:
                node.mempool.add(transaction)
        decide(nodes, build(nodes))
    return wallet
