"""Predicate → the files that may hold a matching row, by SQL over what the catalog knows of each file."""

from .condition import Known, matching, may_match

__all__ = ["Known", "matching", "may_match"]
