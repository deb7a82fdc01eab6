"""The consensus simulator over many seeds, with every promise of the protocol checked.

    python3 scripts/simulate.py                                  # a hundred seeds
    python3 scripts/simulate.py --seeds 0..100000 --state campaign.json --seconds 600
    python3 scripts/simulate.py --seed 42 --verbose              # one, with its whole traceback

`scripts/simulation/main.py` says more.
"""

from bootstrap import hand_over

if __name__ == "__main__":
    hand_over("scripts.simulation.main")
