"""A live market of three brokers on four nodes: does the chain carry it without missing a turn?

    python3 scripts/market_live.py                          # 240 blocks, 200 orders a side and book
    python3 scripts/market_live.py --seconds 30 --orders 40
    python3 scripts/market_live.py --json --seed 7

`scripts/live_market/main.py` says what is done and what is measured.
"""

from bootstrap import hand_over

if __name__ == "__main__":
    hand_over("scripts.live_market.main")
