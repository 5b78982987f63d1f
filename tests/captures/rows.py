# tests/captures/rows.py: every row of the list of variants, and its captures.
# SPDX-License-Identifier: Apache-2.0
"""Importing the families fills the register; CAPTURES is in their order."""

from captures import (  # noqa: F401
    bounce, passive, firewall, evasion, benign)
from captures.truth import CAPTURES  # noqa: F401


def _row_ids():
    ids = [f"BO{n:02}" for n in range(29)] + ["BO09b"]
    for family, first, last in (("PT", 0, 10), ("FW", 1, 7), ("EV", 1, 31),
                                ("BE", 1, 7)):
        ids += [f"{family}{n:02}" for n in range(first, last + 1)]
    return ids


IDS = _row_ids()
