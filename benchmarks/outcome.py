"""What a case comes to: a row of the table in docs/benchmarks.md."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row. `reached` is None where nothing could be measured; `note` says why, or what else was seen.

    `seconds` are ours and the peer's, for the picture; `curve` has adds, our seconds and the peer's for each size.
    """

    at: str
    ours: str
    peer: str
    ratio: str
    wanted: str
    reached: bool | None
    note: str = ""
    seconds: tuple[float, float] | None = None
    curve: list[tuple[int, float, float]] = field(default_factory=list)


def at_most(times: float, ours: float, peer: float, *, at: str, peer_name: str, note: str = "") -> Outcome:
    """Ours may take so many times the peer's seconds."""
    ratio, wanted = ours / peer, f"≤ {times:g} ×"
    return _compared(at, ours, peer, peer_name, f"{ratio:.2f} ×", wanted, ratio <= times, note)


def faster(times: float, ours: float, peer: float, *, at: str, peer_name: str, note: str = "") -> Outcome:
    """Ours is to be so many times faster."""
    ratio, wanted = peer / ours, f"≥ {times:g} × faster"
    return _compared(at, ours, peer, peer_name, f"{ratio:,.1f} × faster", wanted, ratio >= times, note)


def _compared(
    at: str, ours: float, peer: float, peer_name: str, ratio: str, wanted: str, reached: bool, note: str
) -> Outcome:
    against = f"{duration(peer)} ({peer_name})"
    return Outcome(at, duration(ours), against, ratio, wanted, reached, note, seconds=(ours, peer))


def skipped(at: str, wanted: str, why: str) -> Outcome:
    """The row could not be measured here."""
    return Outcome(at, "-", "-", "-", wanted, None, f"skipped: {why}")


def duration(seconds: float) -> str:
    """Seconds, or milliseconds below one."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def megabytes(size: float) -> str:
    """Bytes as megabytes of a million."""
    return f"{size / 1e6:,.0f} MB"
