"""Golden bytes of the market's wire types: another language must make exactly these."""

import pytest
from msgspec.structs import replace

from auction.actions import Cancel, CostModel, Rate, UtilityModel
from auction.brokers import Tariff
from auction.clearing import Clearing, SealedBook, SealedPair
from auction.orders import order_id
from ledger.codec import encode
from ledger.transactions import Action
from tests.auction.town import ask, bid

B = "b" * 64

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
    (Cancel(B), '{"order":"' + B + '","type":"cancel"}'),
    (Rate(B, 9_200), '{"agreement":"' + B + '","rating_bp":9200,"type":"rate"}'),
]


@pytest.mark.parametrize(("action", "text"), BYTES)
def test_actions_have_these_bytes(action: Action, text: str) -> None:
    assert encode(action).decode() == text


def test_a_clearing_has_these_bytes() -> None:
    pair = SealedPair("a" * 64, B, 5, -7)
    clearing = Clearing((SealedBook(B, deferred=False, pairs=(pair,)),))
    assert encode(clearing).decode() == (
        '{"books":[{"broker":"' + B + '","deferred":false,"pairs":[{"ask":"' + "a" * 64 + '",'
        '"bid":"' + B + '","label_micro":5,"tie":-7}]}]}'
    )


def test_a_tariff_has_these_bytes() -> None:
    tariff = Tariff(
        lambda_micro=5, sigma_ppm=6, fee_basis="deal", weights="spread", pricing="paper"
    )
    assert encode(tariff).decode() == (
        '{"fee_basis":"deal","lambda_micro":5,"pricing":"paper","sigma_ppm":6,"weights":"spread"}'
    )


def test_the_id_of_an_order_names_its_transaction_and_place() -> None:
    first, second = order_id(bytes(32), 0), order_id(bytes(32), 1)
    assert first != second
    assert len(first) == 32
