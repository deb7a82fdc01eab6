"""Members' records, the comprehensive resource of Eq 4, and the ledger's parameters."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.errors import Reason, Rejected
from ledger.members import (
    Resources,
    comprehensive_resource,
    is_compliant,
    members,
    read_member,
    require_member,
    set_satisfaction,
)
from ledger.parameters import (
    LedgerParameters,
    check_parameters,
    ledger_parameters,
    write_parameters,
)
from ledger.state import Overlay, State
from tests.ledger.chain import MEMBERS, USERS, genesis_state, parameters

units = st.integers(0, 10**9)
ratios = st.integers(1, 10**9)


@given(units, units, units, ratios, ratios)
def test_eq_4_the_scarcest_resource_decides_rounded_down(
    computation: int, communication: int, modelling: int, alpha: int, beta: int
) -> None:
    chain = parameters(alpha_ppm=alpha, beta_ppm=beta)
    exact = min(
        Fraction(computation),
        communication / Fraction(alpha, 10**6),
        modelling / Fraction(beta, 10**6),
    )
    resources = Resources(computation, communication, modelling)
    assert comprehensive_resource(resources, chain) == exact.numerator // exact.denominator


def test_a_member_at_the_threshold_is_compliant_and_below_it_is_not() -> None:
    member = read_member(genesis_state(), MEMBERS[0].address)
    assert member is not None
    chain = parameters(resource_threshold=100)
    assert is_compliant(replace(member, resources=Resources(100, 100, 100)), chain)
    for scarce in (Resources(99, 100, 100), Resources(100, 99, 100), Resources(100, 100, 99)):
        assert not is_compliant(replace(member, resources=scarce), chain)


def test_members_are_listed_in_order_of_address() -> None:
    listed = [address for address, _ in members(genesis_state())]
    assert listed == sorted(key.address for key in MEMBERS)


def test_satisfaction_is_set_for_members_only() -> None:
    overlay = Overlay(genesis_state())
    set_satisfaction(overlay, MEMBERS[0].address, 9_000)
    member = read_member(overlay, MEMBERS[0].address)
    assert member is not None
    assert member.satisfaction_bp == 9_000
    with pytest.raises(Rejected) as caught:
        set_satisfaction(overlay, USERS[0].address, 9_000)
    assert caught.value.reason is Reason.UNKNOWN_ACCOUNT


def test_requiring_a_member_asks_for_membership_and_status() -> None:
    state = genesis_state()
    assert require_member(state, MEMBERS[0].address, "active").status == "active"
    for address, status in ((MEMBERS[0].address, "jailed"), (USERS[0].address, "active")):
        with pytest.raises(Rejected) as caught:
            require_member(state, address, status)  # type: ignore[arg-type]
        assert caught.value.reason is Reason.ROLE_NOT_ALLOWED


def test_parameters_are_read_back_as_written_and_missing_ones_are_no_crash() -> None:
    changed = parameters(fee_per_action_micro=77)
    overlay = Overlay(State())
    with pytest.raises(Rejected) as caught:
        ledger_parameters(overlay)
    assert caught.value.reason is Reason.NOT_READY
    write_parameters(overlay, changed)
    assert ledger_parameters(overlay) == changed


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("block_time_ms", 0),
        ("block_time_ms", 3_600_001),
        ("fee_per_action_micro", -1),
        ("fee_per_action_micro", 2**53),
        ("max_block_bytes", 0),
        ("max_block_bytes", 2**40),
        ("max_block_transactions", 0),
        ("max_transaction_bytes", 0),
        ("stake_min_micro", 0),
        ("stake_min_micro", 2**50),
        ("stake_max_micro", 2**53),
        ("unbonding_blocks", -1),
        ("unbonding_blocks", 2**53 - 1),
        ("alpha_ppm", 0),
        ("beta_ppm", 0),
        ("beta_ppm", 10**10),
        ("resource_threshold", -1),
        ("max_block_bytes", 2_000),
    ],
)
def test_v17_parameters_that_would_break_the_chain_are_refused(name: str, bad: int) -> None:
    check_parameters(parameters())
    with pytest.raises(Rejected) as caught:
        write_parameters(Overlay(State()), parameters(**{name: bad}))
    assert caught.value.reason is Reason.VALIDATION_ERROR


def test_v17_the_extremes_that_are_allowed_are_allowed() -> None:
    for changed in (
        {"block_time_ms": 1},
        {"fee_per_action_micro": 0},
        {"unbonding_blocks": 0},
        {"resource_threshold": 0},
        {"alpha_ppm": 1, "beta_ppm": 10**9},
        {"stake_min_micro": 1, "stake_max_micro": 1},
    ):
        check_parameters(parameters(**changed))
    check_parameters(LedgerParameters(chain="a"))


@pytest.mark.parametrize("chain", ["", "Upper", "1st", "with space", "x" * 33, "é"])
def test_a_chain_has_a_plain_name(chain: str) -> None:
    with pytest.raises(Rejected):
        check_parameters(LedgerParameters(chain=chain))
