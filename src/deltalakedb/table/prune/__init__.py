"""Predicate → the files that may hold a matching row, by what the catalog knows of each file."""

from .condition import matching

__all__ = ["matching"]
