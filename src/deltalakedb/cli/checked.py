"""What a check found, and what became of telling others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..catalog.problems import Problem


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The problems; `webhook` is `posted`, `nothing new` or `failed`, None where there is none."""

    database: str
    problems: tuple[Problem, ...]
    webhook: str | None = None
    webhook_error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, and whoever had to be told of it knows."""
        return not self.problems and self.webhook_error is None
