"""What callers ask rows for: SQL text, pyarrow expressions and tuples → one tree of conditions on typed columns."""

from .parsing import Where, parse

__all__ = ["Where", "parse"]
