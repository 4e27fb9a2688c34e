"""The command line: parses, calls the library, prints. Nothing here is imported by the rest."""

from .app import main as main
