"""How long work will still take, by how long it has taken so far."""

from __future__ import annotations

KNOWN_FROM_SECONDS = 5
KNOWN_FROM_SHARE = 0.01
KNOWN_AFTER_SECONDS = 60
"""A time that is left is said after 5 s and a hundredth of the work, or after a minute: before, it is a guess.

Work begins slowly, with connections and the first file of a log: after a second it would be hours that are left.
"""


def seconds_left(share: float | None, seconds: float) -> float | None:
    """Returns how long work will go on of which a `share` from 0 to 1 took `seconds`; None where nobody knows."""
    if not share or seconds < KNOWN_FROM_SECONDS or (share < KNOWN_FROM_SHARE and seconds < KNOWN_AFTER_SECONDS):
        return None
    return seconds * (1 - share) / share
