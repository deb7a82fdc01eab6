"""Envelopes: one byte form, one id, and a signature over everything but itself."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.codec import encode
from ledger.crypto import GROUP_ORDER, SigningKey, digest, verify
from ledger.errors import Reason, Rejected
from ledger.native import ACTIONS, Register, Stake, Transfer, Unstake
from ledger.transactions import (
    Action,
    Transaction,
    TransactionCodec,
    build_transaction,
    check_signature,
)
from ledger.types import MAX_INTEGER
from tests.ledger.chain import CHAIN, GENESIS_HASH, KEYS

KEY, OTHER = KEYS[:2]
CODEC = TransactionCodec(ACTIONS, CHAIN, GENESIS_HASH, 65_536)
PAY = Transfer(OTHER.address, 5, "thanks")

addresses = st.binary(min_size=32, max_size=32).map(bytes.hex)
money = st.integers(1, MAX_INTEGER)
some_actions: st.SearchStrategy[Action] = st.one_of(
    st.builds(Transfer, addresses, money, st.sampled_from(["", "memo", 'q"\\', "é"])),
    st.builds(Stake, money),
    st.builds(Unstake, money),
    st.builds(Register, addresses, st.just("Bus fleet"), st.sampled_from(["its", "account"])),
)


def build(
    *actions: Action,
    key: SigningKey = KEY,
    nonce: int = 0,
    expires: int = 0,
    chain: str = CHAIN,
    genesis_hash: bytes = GENESIS_HASH,
) -> bytes:
    return build_transaction(key, genesis_hash, chain, nonce, actions or (PAY,), expires)


def decode(raw: bytes) -> Transaction:
    return CODEC.decode(raw)


def refusal(raw: bytes) -> Reason:
    with pytest.raises(Rejected) as caught:
        CODEC.decode(raw)
    return caught.value.reason


@given(st.lists(some_actions, min_size=1, max_size=5), st.integers(0, MAX_INTEGER))
def test_what_is_built_decodes_verifies_and_is_canonical(actions: list[Action], nonce: int) -> None:
    transaction = decode(build(*actions, nonce=nonce, expires=nonce))
    assert check_signature(transaction)
    assert transaction.envelope.actions == tuple(actions)
    assert transaction.envelope.from_ == KEY.address
    assert encode(transaction.envelope) == transaction.raw
    assert transaction.cache_key == sha256(transaction.raw).digest()


def test_the_id_is_the_digest_of_the_content_without_its_signature() -> None:
    transaction = decode(build())
    start, end = transaction.raw.split(b',"sig":"')
    assert len(end) == 130
    assert transaction.id == digest("tx", start + b"}", GENESIS_HASH)


def test_v4_every_field_of_an_envelope_and_of_its_actions_changes_the_id() -> None:
    base = decode(build(nonce=3, expires=9))
    register = Register(OTHER.address, "Bus", "its")
    variants = [
        build(nonce=4, expires=9),
        build(nonce=3, expires=8),
        build(nonce=3, expires=9, key=OTHER),
        build(PAY, PAY, nonce=3, expires=9),
        build(Transfer(KEYS[2].address, 5, "thanks"), nonce=3, expires=9),
        build(Transfer(OTHER.address, 6, "thanks"), nonce=3, expires=9),
        build(Transfer(OTHER.address, 5, "thank"), nonce=3, expires=9),
        build(Stake(5), nonce=3, expires=9),
        build(Unstake(5), nonce=3, expires=9),
        build(register, nonce=3, expires=9),
        build(Register(OTHER.address, "Bu", "its"), nonce=3, expires=9),
        build(Register(OTHER.address, "Bus", "account"), nonce=3, expires=9),
        build(Register(KEYS[2].address, "Bus", "its"), nonce=3, expires=9),
        build(Stake(5), Unstake(5), nonce=3, expires=9),
        build(Unstake(5), Stake(5), nonce=3, expires=9),
    ]
    ids = {decode(raw).id for raw in variants} | {base.id}
    assert len(ids) == len(variants) + 1


def test_the_id_names_the_content_and_the_cache_key_the_bytes() -> None:
    """A verdict kept under the id would let a spoilt signature pass on warm nodes only."""
    good = decode(build())
    spoilt = decode(good.raw[:-3] + (b'0"}' if good.raw[-3:] != b'0"}' else b'1"}'))
    assert spoilt.id == good.id
    assert spoilt.cache_key != good.cache_key
    assert not check_signature(spoilt)


def test_only_the_signature_of_the_sender_over_this_content_on_this_chain_is_good() -> None:
    good = decode(build())
    signature = good.raw[-130:-2].decode()
    half = signature[:64]
    response = int.from_bytes(bytes.fromhex(signature[64:]), "little") + GROUP_ORDER
    forgeries = [
        "00" * 64,
        signature[64:] + half,
        half + response.to_bytes(32, "little").hex(),
        build(key=OTHER)[-130:-2].decode(),
        build(nonce=1)[-130:-2].decode(),
        build(genesis_hash=bytes(32))[-130:-2].decode(),
        KEY.sign(sha256(good.raw).digest()).hex(),
        KEY.sign(digest("vote", good.raw[:-138] + b"}", GENESIS_HASH)).hex(),
    ]
    assert check_signature(good)
    for forgery in forgeries:
        assert not check_signature(decode(good.raw[:-130] + forgery.encode() + b'"}'))


def test_a_transaction_of_another_genesis_has_another_id_and_no_good_signature_here() -> None:
    foreign = build(genesis_hash=bytes(32))
    other_codec = TransactionCodec(ACTIONS, CHAIN, bytes(32), 65_536)
    assert check_signature(other_codec.decode(foreign))
    assert other_codec.decode(foreign).id != decode(foreign).id
    assert not check_signature(decode(foreign))


def test_a_transaction_of_another_chain_is_refused_at_decoding() -> None:
    assert refusal(build(chain="elsewhere")) is Reason.WRONG_CHAIN


@pytest.mark.parametrize("count", [0, 65])
def test_an_envelope_holds_one_to_64_actions(count: int) -> None:
    assert len(decode(build(*[Stake(1)] * 64)).envelope.actions) == 64
    raw = build_transaction(KEY, GENESIS_HASH, CHAIN, 0, [Stake(1)] * count)
    assert refusal(raw) is Reason.VALIDATION_ERROR


def test_the_size_bound_counts_all_bytes() -> None:
    raw = build()
    assert TransactionCodec(ACTIONS, CHAIN, GENESIS_HASH, len(raw)).decode(raw).raw == raw
    with pytest.raises(Rejected) as caught:
        TransactionCodec(ACTIONS, CHAIN, GENESIS_HASH, len(raw) - 1).decode(raw)
    assert caught.value.reason is Reason.BODY_TOO_LARGE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"type":"transfer"', b'"type":"mint"'),
        (b'"type":"transfer"', b'"type":"Transfer"'),
        (b'"amount_micro":5', b'"amount_micro":-5'),
        (b'"amount_micro":5', b'"amount_micro":9007199254740992'),
        (b'"amount_micro":5', b'"amount_micro":18446744073709551617'),
        (b'"amount_micro":5', b'"amount_micro":5,"amount_micro":5'),
        (b'"nonce":0', b'"nonce":-1'),
        (b'"nonce":0', b'"nonce":9007199254740992'),
        (b'"expires":0', b'"expires":"0"'),
        (b'"expires":0,', b""),
        (b'"memo":"thanks"', b'"memo":"' + b"x" * 129 + b'"'),
        (KEY.address.encode(), KEY.address.upper().encode()),
        (KEY.address.encode(), KEY.address[:-1].encode()),
        (KEY.address.encode(), KEY.address[:-1].encode() + b" "),
        (KEY.address.encode(), KEY.address[:-1].encode() + b"g"),
        (OTHER.address.encode(), OTHER.address.upper().encode()),
        (b'"sig":"', b'"sig":" '),
        (b'{"actions"', b'{"Actions"'),
    ],
)
def test_malformed_envelopes_are_refused(old: bytes, new: bytes) -> None:
    raw = build()
    assert old in raw
    bad = raw.replace(old, new)
    assert refusal(bad) in {Reason.VALIDATION_ERROR, Reason.NOT_CANONICAL}


def test_a_signature_in_upper_case_is_another_byte_form_and_refused() -> None:
    raw = build()
    assert refusal(raw[:-130] + raw[-130:-2].upper() + raw[-2:]) is Reason.VALIDATION_ERROR


@given(st.data())
def test_no_changed_byte_leaves_a_transaction_that_passes_with_the_same_content(
    data: st.DataObject,
) -> None:
    raw = build()
    place = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != raw[place]))
    try:
        changed = decode(raw[:place] + bytes([byte]) + raw[place + 1 :])
    except Rejected:
        return
    assert not check_signature(changed)


def test_the_signing_key_is_the_account() -> None:
    transaction = decode(build())
    signature = bytes.fromhex(transaction.envelope.sig)
    assert verify(KEY.public_key, transaction.id, signature)
    assert transaction.envelope.from_ == KEY.public_key.hex()
