"""Random operations against the slow model of the market, by the million: the long campaign.

    python3 scripts/market_campaign.py                        # 1000000 operations, 2 processes
    python3 scripts/market_campaign.py --operations 20000 --first 500
    python3 scripts/market_campaign.py --jobs 1 --state campaign.json     # go on where it stopped
    python3 scripts/market_campaign.py --seed 1234            # one seed again

The test command runs the first seeds of the same; here they go on until the count is reached.  In
every block all reserves, resources, quotes, weights, trade counts, balances and tables are held
against `tests/auction/model.py`.  A seed that fails is printed, and the exit code is 1.
"""

from bootstrap import hand_over

if __name__ == "__main__":
    hand_over("scripts.market_benchmark.campaign")
