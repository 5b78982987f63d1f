# tests/e2e/test_durability.py: what was acknowledged is there, after any kill.
# SPDX-License-Identifier: Apache-2.0
"""durability.py says how; script/soak has more of it."""

import os
import random

from conftest import SANITIZED, needs_root
from durability import Run

# Workers, gates, wardens in each of the rounds.
ROUNDS, KILLS = (2, (50, 5, 5)) if SANITIZED else (4, (225, 15, 15))


@needs_root
def test_no_kill_loses_or_tears_an_upload(capsys):
    seed = os.environ.get("PORTCULLIS_SEED", str(random.randrange(1 << 32)))
    run = Run(seed)
    try:
        for _ in range(ROUNDS):
            run.round(*KILLS)
            assert not run.wrong, (seed, run.wrong)
    finally:
        with capsys.disabled():
            print(f"\nseed {seed}: {run.report()}")
        status = run.end()
    assert status == 0
    assert run.worker_kills >= ROUNDS * KILLS[0]
    assert SANITIZED or run.counts["resumed"] > 0	# few kills, few parts
