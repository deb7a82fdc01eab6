"""The market's benchmark: solving, checking, one block of churn, admission, beside known libraries.

    python3 scripts/bench_market.py            # up to 10000 x 10; about a minute
    python3 scripts/bench_market.py --quick    # the books of 1000 orders a side only
    python3 scripts/bench_market.py --full     # 10000 x 50 and networkx too; many minutes
    python3 scripts/bench_market.py --json

`scripts/market_benchmark/main.py` says what is measured and how.
"""

from bootstrap import hand_over

if __name__ == "__main__":
    hand_over("scripts.market_benchmark.main")
