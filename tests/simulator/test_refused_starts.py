"""A node that starts with the wrong key or genesis: refused by itself, or heard by nobody.

What the service refuses before there is a driver (another genesis beside the database, a wrong
password, a second process) is in tests/node/test_service.py.
"""

import pytest

from consensus.simplex.types import Vote, VoteKind, vote_message
from ledger.errors import Corrupt
from node.driver.host import BlockArrived
from tests.simulator.ground import StubKey
from tests.simulator.scripted import KEYS, Script, names

N, X = VoteKind.NOTARIZE, VoteKind.NULLIFY


def following() -> Script:
    """A driver that does not lead view 1 of height 1."""
    return Script(Script(None).follower())


def test_a_journal_written_under_another_key_stops_the_start() -> None:
    """It took the other's votes for its own, sent them on, and was blocked by all for relaying."""
    script = following()
    data = script.block()
    script.step(BlockArrived(KEYS[script.leader()], data))
    script.hear(script.vote(N, 1, script.leader(), data))
    assert script.own_votes()
    stranger = (script.index + 1) % 4
    with pytest.raises(Corrupt, match="this node's key is not that one"):
        Script(stranger, journal=script.host.journal)
    with pytest.raises(Corrupt):
        Script(None, journal=script.host.journal)


def test_a_node_of_another_genesis_is_heard_by_nobody() -> None:
    script = following()
    data = script.block()
    message = vote_message(bytes(32), script.driver.start.validators.digest, X, 1, 1, 0, b"")
    leader = script.leader()
    vote = Vote(X, 1, 1, 0, b"", leader, StubKey(KEYS[leader]).sign(message))
    assert names(script.hear(vote)) == ["block peer"]
    assert script.own_votes() == []
    assert script.hear(script.vote(X, 1, leader, data)) != []
