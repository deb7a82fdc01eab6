"""The paper's figures 3 to 6 from seeds, with the project's own code, and which claims hold.

    python3 scripts/figures.py            # all panels, pictures, values, claims; some minutes
    python3 scripts/figures.py --small    # the same with little in it; seconds
    python3 scripts/figures.py --help     # what each panel shows

`scripts/paper_figures/main.py` says what is written where.
"""

from bootstrap import RUN, hand_over

if __name__ == "__main__":
    hand_over("scripts.paper_figures.main", RUN)
