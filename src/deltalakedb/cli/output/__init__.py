"""Results on stdout: for people as text, for programs as one JSON document."""

from __future__ import annotations

from .base import Output as Output


def output_for(name: str) -> Output:
    """Returns the output called `text` or `json`."""
    if name == "json":
        from .json_output import JsonOutput

        return JsonOutput()
    from .text_output import TextOutput

    return TextOutput()
