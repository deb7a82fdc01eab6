"""Golden bytes of the market's wire types: another language must make exactly these."""

import pytest
from msgspec.structs import replace

from auction.actions import (
    AskPrice,
    BidPrice,
    Cancel,
    CostModel,
    FlatFloor,
    FlatLimit,
    Rate,
    Reprice,
    UtilityModel,
)
from auction.brokers import ServiceClass, Tariff
from auction.halvings import MAX_HALVINGS
from auction.mcafee import ClassPair, SealedClass
from auction.orders import order_id
from auction.sealed import (
    BOOK_BYTES,
    CLASS_BYTES,
    CLASS_PAIR_BYTES,
    HEAD_BYTES,
    PAIR_BYTES,
    Clearing,
    SealedBook,
    SealedPair,
)
from auction.tariffs import ChangeTariff
from ledger.codec import encode
from ledger.transactions import Action
from tests.auction.town import ask, bid

B = "b" * 64

CLASS = SealedClass(
    broker=B,
    tariff=2,
    number=1,
    deferred=False,
    buyer_price_micro=9,
    seller_price_micro=8,
    pairs=(ClassPair("a" * 64, B),),
    halvings=3,
)
PRICE = {"expires": 9, "open_ppm": 10**6, "omega_micro": 5, "mu": 1}
KIND = ServiceClass(service_blocks=4, interval_blocks=3, theta_milli=2, least_resource=1)
MCAFEE = Tariff(
    lambda_micro=5,
    sigma_ppm=6,
    fee_basis="deal",
    weights="surplus",
    pricing="mcafee",
    classes=(KIND,),
)

BYTES: list[tuple[Action, str]] = [
    (
        replace(bid(limit=60_000_000), broker=B),
        '{"broker":"' + B + '","expires":50,"interval_blocks":2,"least_resource":0,"mu":1,'
        '"omega_micro":500000,"open_ppm":1000000,"service_blocks":5,"theta_milli":1000,'
        '"type":"bid","valuation":{"kind":"flat","limit_micro":60000000}}',
    ),
    (
        replace(bid(valuation=UtilityModel(7, 9)), broker=B),
        '{"broker":"' + B + '","expires":50,"interval_blocks":2,"least_resource":0,"mu":1,'
        '"omega_micro":500000,"open_ppm":1000000,"service_blocks":5,"theta_milli":1000,'
        '"type":"bid","valuation":{"gamma_nano":9,"kind":"model","value_micro":7}}',
    ),
    (
        replace(ask(floor=3), broker=B),
        '{"broker":"' + B + '","cost":{"floor_micro":3,"kind":"flat"},"expires":50,'
        '"longest_blocks":100,"mu":1,"omega_micro":500000,"open_ppm":1000000,'
        '"resources":{"communication":100,"computation":100,"modelling":100},"type":"ask"}',
    ),
    (
        replace(ask(cost=CostModel(1, 2, 10**6, 4, 5, 6, 7)), broker=B),
        '{"broker":"' + B + '","cost":{"a_micro":5,"b_micro":6,"c_micro":7,"d_micro":2,'
        '"epsilon_micro":4,"eta_ppm":1000000,"kind":"model","r_micro":1},"expires":50,'
        '"longest_blocks":100,"mu":1,"omega_micro":500000,"open_ppm":1000000,'
        '"resources":{"communication":100,"computation":100,"modelling":100},"type":"ask"}',
    ),
    (
        Reprice(B, BidPrice(**PRICE, valuation=FlatLimit(7))),
        '{"order":"' + B + '","price":{"expires":9,"mu":1,"omega_micro":5,"open_ppm":1000000,'
        '"side":"bid","valuation":{"kind":"flat","limit_micro":7}},"type":"reprice"}',
    ),
    (
        Reprice(B, AskPrice(**PRICE, cost=FlatFloor(7))),
        '{"order":"' + B + '","price":{"cost":{"floor_micro":7,"kind":"flat"},"expires":9,"mu":1,'
        '"omega_micro":5,"open_ppm":1000000,"side":"ask"},"type":"reprice"}',
    ),
    (
        ChangeTariff(MCAFEE),
        '{"tariff":{"classes":[{"interval_blocks":3,"least_resource":1,"service_blocks":4,'
        '"theta_milli":2}],"fee_basis":"deal","kappa_ppm":0,"lambda_micro":5,"pricing":"mcafee",'
        '"sigma_ppm":6,"weights":"surplus"},"type":"change_tariff"}',
    ),
    (Cancel(B), '{"order":"' + B + '","type":"cancel"}'),
    (Rate(B, 9_200), '{"agreement":"' + B + '","rating_bp":9200,"type":"rate"}'),
]


@pytest.mark.parametrize(("action", "text"), BYTES)
def test_actions_have_these_bytes(action: Action, text: str) -> None:
    assert encode(action).decode() == text


def test_a_clearing_has_these_bytes() -> None:
    pair = SealedPair("a" * 64, B, 5, -7)
    clearing = Clearing((SealedBook(B, 3, deferred=False, pairs=(pair,)),), (CLASS,))
    assert encode(clearing).decode() == (
        '{"books":[{"broker":"' + B + '","deferred":false,"halvings":0,"pairs":['
        '{"ask":"' + "a" * 64 + '","bid":"' + B + '","label_micro":5,"tie":-7}],"tariff":3}],'
        '"classes":[{"broker":"' + B + '","buyer_price_micro":9,"deferred":false,"halvings":3,'
        '"number":1,"pairs":[{"ask":"' + "a" * 64 + '","bid":"' + B + '"}],'
        '"seller_price_micro":8,"tariff":2}]}'
    )


def test_the_room_reckoned_for_a_seal_is_no_less_than_it_takes() -> None:
    most = 2**53 - 1
    book = SealedBook(B, most, deferred=False, pairs=(), halvings=MAX_HALVINGS)
    kind = replace(CLASS, tariff=most, pairs=(), halvings=MAX_HALVINGS)
    kind = replace(kind, buyer_price_micro=most, seller_price_micro=most)
    pair = SealedPair(B, B, most, -most)
    assert len(encode(Clearing((), ()))) <= HEAD_BYTES
    assert len(encode(book)) + 1 <= BOOK_BYTES
    assert len(encode(kind)) + 1 <= CLASS_BYTES
    assert len(encode(pair)) + 1 <= PAIR_BYTES
    assert len(encode(ClassPair(B, B))) + 1 <= CLASS_PAIR_BYTES


def test_a_tariff_has_these_bytes() -> None:
    tariff = Tariff(
        lambda_micro=5, sigma_ppm=6, fee_basis="deal", weights="spread", pricing="paper"
    )
    assert encode(tariff).decode() == (
        '{"classes":[],"fee_basis":"deal","kappa_ppm":0,"lambda_micro":5,"pricing":"paper",'
        '"sigma_ppm":6,"weights":"spread"}'
    )


def test_the_id_of_an_order_names_its_transaction_and_place() -> None:
    first, second = order_id(bytes(32), 0), order_id(bytes(32), 1)
    assert first != second
    assert len(first) == 32
