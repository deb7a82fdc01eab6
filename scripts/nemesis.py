"""Real nodes under kills, pauses, partitions and full disks, and what they must keep meanwhile.

    python3 scripts/nemesis.py                                   # one minute, four nodes
    python3 scripts/nemesis.py --validators 7 --seconds 600 --seed 3
    python3 scripts/nemesis.py --faults kill,partition --json

`scripts/chaos/main.py` says what is done and what is checked.
"""

from bootstrap import hand_over

if __name__ == "__main__":
    hand_over("scripts.chaos.main")
