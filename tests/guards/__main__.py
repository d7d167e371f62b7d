"""The guards at length: `python -m tests.guards --minutes 10`, or `--calls 5000 --streams 500` for one round.

Each round has a seed, which is printed before it begins: `--seed 17 --minutes 0` repeats round 17. A round is chaos on
each transport and loop, and after the first one the sweep of cancellations and the storms of interrupts.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.guards.chaos import chaos
from tests.guards.residue import LOOPS
from tests.guards.storms import STORMS, storm
from tests.guards.sweep import sweep
from tests.guards.test_cancellation import USES


def main() -> int:
    """Runs rounds until the time is over; the first failure ends the run with its traceback."""
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0, help="run rounds for so long (default: one round)")
    parser.add_argument("--calls", type=int, default=5_000, help="calls of a round and combination (default: 5000)")
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--interrupts", type=int, default=400, help="interrupts of each use (default: 400; 0: none)")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first round (default: 1)")
    parser.add_argument("--only", choices=("chaos", "sweep", "storms"))
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    seed = options.seed
    while True:
        if options.only in (None, "chaos"):
            for transport in ("direct", "general"):
                for loop in LOOPS:
                    print(f"chaos: seed {seed}, {transport}, {loop}", flush=True)
                    counts = chaos(seed, options.calls, options.streams, transport=transport, loop=loop)
                    print("  " + ", ".join(f"{number} {end}" for end, number in counts.most_common()), flush=True)
        if options.only in (None, "sweep"):
            for transport in ("direct", "general"):
                for name, use in USES.items():
                    for again in (0, 1, 3):
                        count = sweep(use, transport=transport, most_open=4, again=again)
                        print(f"sweep: {name}, {transport}, twice after {again}: {count} cancellations", flush=True)
        if options.only in (None, "storms") and options.interrupts:
            for transport in ("direct", "general"):
                for name in STORMS:
                    print(f"storm: seed {seed}, {name}, {transport}", flush=True)
                    storm(name, options.interrupts, seed, transport)
        seed += 1
        if time.monotonic() >= end:
            return 0


if __name__ == "__main__":
    sys.exit(main())
