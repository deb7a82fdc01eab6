"""Random histories: money is conserved, nothing goes negative, every process agrees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consensus.commits import Commits
from consensus.history import read_turn
from consensus.parameters import ConsensusParameters
from consensus.simplex.evidence import accuse
from consensus.simplex.types import VoteKind
from consensus.simplex.wire import encode_evidence
from ledger.accounts import POOL, pot_balance, read_account, total_money
from ledger.members import members
from tests.consensus.chain import Chain, block_hash

ROOT = Path(__file__).resolve().parents[2]


def random_commits(chain: Chain, view: int, data: st.DataObject) -> Commits:
    """Commits as check_commits would let them pass, with some voters absent and late."""
    n = len(chain.election().entries)
    if not chain.height:
        return chain.commits(view)
    absent = data.draw(st.sets(st.integers(0, n - 1), max_size=(n - 1) // 3))
    late = []
    for height in range(max(1, chain.height - 3), chain.height):
        turn = read_turn(chain.state, height)
        assert turn is not None
        uncounted = (signer for signer in range(n) if signer not in turn.counted)
        late += [chain.late_vote(height, who) for who in uncounted if data.draw(st.booleans())]
    evidence = ()
    if data.draw(st.integers(0, 9)) == 0:
        signer = data.draw(st.integers(0, n - 1))
        entry = chain.election().entries[signer]
        if entry.status != "ejected":
            left = chain.vote(VoteKind.NOTARIZE, chain.height, 1, signer, block_hash(0))
            right = chain.vote(VoteKind.NOTARIZE, chain.height, 1, signer, block_hash(1))
            evidence = (encode_evidence(accuse(left, right)),)
    return chain.commits(view, absent, tuple(late), evidence)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    size=st.integers(1, 7),
    pool=st.sampled_from([0, 1, 700_000, 10**7, 10**12]),
    free=st.sampled_from([0, 1, 499_999, 5_000_000, 10**9]),
    stake=st.sampled_from([0, 1, 300_000, 4_000_000]),
    data=st.data(),
)
def test_money_is_conserved_and_never_negative_in_any_history(
    size: int, pool: int, free: int, stake: int, data: st.DataObject
) -> None:
    rules = ConsensusParameters(deposit_blocks=5, boundary_blocks=4)
    numbers = range(size)
    chain = Chain(size, rules, stakes=dict.fromkeys(numbers, stake), free={0: free}, pool=pool)
    for _ in range(14):
        view = data.draw(st.sampled_from([1, 1, 1, 2, 3, size, size + 1, 3 * size]))
        commits = random_commits(chain, view, data)
        assert Commits.decode(commits.encode()) == commits
        chain.advance(view, commits, forgo_reward=data.draw(st.booleans()))
        assert total_money(chain.state) == chain.money
        assert pot_balance(chain.state, POOL) >= 0
        for who, record in members(chain.state):
            assert read_account(chain.state, who).free >= 0
            assert min(record.deposit_micro, record.stake_micro) >= 0
            assert record.deposit_micro <= rules.deposit_micro
        election = chain.election()
        assert sorted(election.order) == list(range(len(election.entries)))


def test_the_state_keeps_a_bounded_history() -> None:
    chain = Chain(4, ConsensusParameters(boundary_blocks=3, deposit_blocks=10))
    sizes = []
    for _ in range(60):
        chain.advance()
        sizes.append(len(list(chain.state.scan(b"election/"))))
    assert sizes[-1] == sizes[20] <= 2 * chain.parameters.history_heights() + 4


def digest_of_a_run() -> str:
    """The root of a chain with everything in it; run by the test below in other processes."""
    chain = Chain(9, ConsensusParameters(boundary_blocks=7, deposit_blocks=9))
    for step in range(40):
        view = (1, 1, 2, 1, 10, 3, 1)[step % 7]
        absent = {step % 9, (step * 5) % 9}
        late = ()
        if chain.height > 4:
            turn = read_turn(chain.state, chain.height - 2)
            assert turn is not None
            absentees = [signer for signer in range(9) if signer not in turn.counted]
            late = tuple(chain.late_vote(chain.height - 2, signer) for signer in absentees[:1])
        chain.advance(view, chain.commits(view, absent if chain.height else (), late))
    events = "".join(repr(event) for event in chain.events)
    return chain.state.root.hex() + events


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_a_run_is_the_same_whatever_the_hash_seed_of_the_process(hash_seed: str) -> None:
    code = "from tests.consensus.test_properties import digest_of_a_run as run; print(run())"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert finished.stdout.strip() == digest_of_a_run()


def test_the_shares_script_prints_its_table() -> None:
    finished = subprocess.run(
        [sys.executable, "scripts/shares.py", "--heights", "300", "--stakes", "4,1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "square root" in finished.stdout
    assert "high : low" in finished.stdout
