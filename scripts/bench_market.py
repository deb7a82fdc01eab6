"""The market's benchmark: solving, checking, one block of churn, admission, beside known libraries.

    python3 scripts/bench_market.py            # up to 10000 x 50; a few minutes
    python3 scripts/bench_market.py --quick    # books of 200 and 1000 orders a side; seconds
    python3 scripts/bench_market.py --require  # exit status 1 unless every target is met
    python3 scripts/bench_market.py --worst    # the dearest block, part by part; some minutes
    python3 scripts/bench_market.py --json

`scripts/market_benchmark/main.py` says what is measured and how.
"""

from bootstrap import hand_over

if __name__ == "__main__":
    hand_over("scripts.market_benchmark.main")
