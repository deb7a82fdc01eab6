"""The benchmark: what a network of nodes commits, against this machine's own limit in the same run.

    python3 scripts/bench.py                       # 30 s of overload, then 15 s at half of it
    python3 scripts/bench.py --seconds 10 --json
    python3 scripts/bench.py --profile profile/    # cProfile of every node beside the figures

`scripts/benchmark/main.py` says what is measured and how.
"""

from bootstrap import hand_over

if __name__ == "__main__":
    hand_over("scripts.benchmark.main")
