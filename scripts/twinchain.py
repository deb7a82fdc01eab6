"""The `twinchain` command from a fresh clone, without Docker and without any set-up of its own.

    python3 scripts/twinchain.py testnet start

makes `.venv` from the hashed lock on first use, then hands over to the real command.
"""

from bootstrap import RUN, hand_over

if __name__ == "__main__":
    hand_over("node.cli.main", RUN)
