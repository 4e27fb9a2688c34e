"""Keeps passwords out of everything that is printed, tracebacks and third parties' messages included."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote, unquote_plus

_MASK = "***"
_VARIABLES = ("PGPASSWORD", "MYSQL_PWD")
_IN_URL = re.compile(r"(?P<before>://[^\s:/?#@]*:)(?P<secret>[^\s]*)(?=@)")
_IN_QUERY = re.compile(
    r"(?P<before>[?&](?:password|passwd|sslpassword|ssl_key_password)=)(?P<secret>[^\s&#'\"]+)", re.I
)


class Secrets:
    """The passwords that are in use, in every form in which they may turn up."""

    def __init__(self) -> None:
        self._forms: list[str] = []

    @classmethod
    def of(cls, texts: Iterable[str], others: Iterable[str] = ()) -> Secrets:
        """Returns what `learn` finds."""
        secrets = cls()
        secrets.learn(texts, others)
        return secrets

    def learn(self, texts: Iterable[str], others: Iterable[str] = ()) -> None:
        """Finds the passwords in whatever looks like a database URL among the texts, and in the environment.

        `others` are secrets that are known as such.
        """
        found = {match["secret"] for text in texts for rule in (_IN_URL, _IN_QUERY) for match in rule.finditer(text)}
        found |= {os.environ.get(variable, "") for variable in _VARIABLES} | set(others)
        # Who doesn't encode an @ in a password gives the part before it as the password, the rest as the host.
        found |= {secret.partition("@")[0] for secret in found}
        forms = {form for secret in found for form in _forms(secret)}
        self._forms = sorted(forms | {*self._forms}, key=len, reverse=True)

    def scrub(self, text: str) -> str:
        """Returns the text with every password masked."""
        for rule in (_IN_URL, _IN_QUERY):
            text = rule.sub(rf"\g<before>{_MASK}", text)
        for form in self._forms:
            # Only whole words: the password "post" must not turn postgresql:// into a riddle that gives it away.
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])", _MASK, text)
        return text


def _forms(secret: str) -> set[str]:
    plain = {secret, unquote(secret), unquote_plus(secret)}
    encoded = {encode(text) for text in plain for encode in (quote, lambda t: quote(t, safe=""), quote_plus)}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text) for text in encoded}
    return {form for form in plain | encoded | lower | {repr(text)[1:-1] for text in plain} if form.strip("*")}
