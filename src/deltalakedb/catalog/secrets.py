"""Keeps passwords out of everything that is printed, tracebacks and third parties' messages included.

By their place: what stands where a password stands in a URL, in its options or in libpq's `password=…` is masked,
whatever it is. By their value: passwords in use are masked as whole words, in whatever spelling. A password may be a
common word, though, and then it is none in a path (`/data/lake/orders`), nor where the user, the host, the database or
an argument of the command line is that word, which masking would only give away.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from .urls import MASK, SECRET_OPTIONS, masked, taken_apart

_VARIABLES = ("PGPASSWORD", "MYSQL_PWD")
_OPTIONS = "|".join(SECRET_OPTIONS)
_SERVERS = r"\b(?:postgres(?:ql)?|mysql|mariadb)(?:\+\w+)?://"
_SERVER_URL = re.compile(rf"{_SERVERS}.*", re.I | re.DOTALL)
_URLS_BY_PLACE = (
    # Who doesn't encode an @ in a password means the last one; a URL that was masked has lost it already.
    re.compile(rf"(?P<before>{_SERVERS}[^\s:]*:)(?!\*\*\*@)(?P<secret>\S*)(?=@)", re.I),
    # Any other URL has its own rules: no user before a slash, and digits may be a port.
    re.compile(r"(?P<before>://[^\s:/?#]*:)(?!\d{1,5}[/?#]|\*\*\*@)(?P<secret>\S*)(?=@)"),
)
_OPTIONS_BY_PLACE = (
    re.compile(
        rf"""(?<![\w/])(?P<before>(?:{_OPTIONS})\s*=\s*)(?P<secret>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s&'"]+)""",
        re.I,
    ),
    re.compile(rf"""(?P<before>(['"])(?:{_OPTIONS})\2\s*:\s*)(?P<secret>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", re.I),
)
_BY_PLACE = (*_URLS_BY_PLACE, *_OPTIONS_BY_PLACE)
_SHOWN = rf"\g<before>{MASK}"
_WORD = re.compile(r"(?<!\S)\S+")
_SHORT = 3
"""A password of fewer letters is not looked for in what is said: it would be a part of every second line."""


class Secrets:
    """The passwords that are in use, in every form in which they may turn up."""

    def __init__(self) -> None:
        self._urls: dict[str, str] = {}
        self._keys: set[str] = set()
        self._passwords: set[str] = set()
        self._said: set[str] = set()
        self._of_keys: list[re.Pattern[str]] = []
        self._of_passwords: list[tuple[re.Pattern[str], str]] = []

    @classmethod
    def of(cls, texts: Iterable[str] = (), keys: Iterable[str] = (), *, urls: Iterable[str] = ()) -> Secrets:
        """Returns what `learn` finds."""
        secrets = cls()
        secrets.learn(texts, keys, urls=urls)
        return secrets

    def learn(self, texts: Iterable[str] = (), keys: Iterable[str] = (), *, urls: Iterable[str] = ()) -> None:
        """Learns what may not be said.

        Args:
            texts: the words of a command line, in which there may be URLs.
            keys: secrets as a whole, wherever they stand.
            urls: of databases, whatever they look like.
        """
        for text in texts:
            found = _SERVER_URL.search(text)
            self._learn_url(text if found is None else found[0], is_one=found is not None)
            self._said.add(text)
        for url in urls:
            self._learn_url(url, is_one=True)
        self._passwords |= {os.environ.get(variable, "") for variable in _VARIABLES}
        self._keys |= {key for key in keys if key}
        self._of_keys = [re.compile(rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])") for form in self._key_forms()]
        self._of_passwords = list(self._password_patterns())

    def scrub(self, text: str) -> str:
        """Returns the text with every password masked."""
        text = self.scrub_name(text)
        for pattern, shown in self._of_passwords:
            text = pattern.sub(shown, text)
        return text

    def scrub_name(self, text: str) -> str:
        """Returns what names something, as a location or a table id, with what is secret in it masked."""
        for url, shown in self._urls.items():
            text = text.replace(url, shown)
        text = _WORD.sub(_masked_word, text)
        for rule in _OPTIONS_BY_PLACE:
            text = rule.sub(_SHOWN, text)
        for pattern in self._of_keys:
            text = pattern.sub(MASK, text)
        return text

    def _learn_url(self, url: str, *, is_one: bool) -> None:
        parts = taken_apart(url) if is_one else None
        if parts is None:
            matches = (rule.search(url) for rule in _BY_PLACE)
            found = {match["secret"] for match in matches if match is not None}
            # Who doesn't encode an @ in a password may see the part before it taken for the whole.
            self._passwords |= found | {secret.partition("@")[0] for secret in found}
        else:
            self._passwords |= {*parts.passwords}
            hosts = re.split(r"[,:]", parts.hosts)
            self._said |= {name for name in (parts.user, parts.database, *hosts) if name}
        if is_one and (shown := masked(url)) != url:
            self._urls |= dict.fromkeys(_forms(url), shown)

    def _key_forms(self) -> list[str]:
        return sorted({form for key in self._keys for form in _forms(key)}, key=len, reverse=True)

    def _password_patterns(self) -> Iterable[tuple[re.Pattern[str], str]]:
        forms = {(form, secret in self._said) for secret in self._passwords for form in _forms(secret)}
        for form, is_said in sorted(forms, key=lambda one: (-len(one[0]), one)):
            word = re.escape(form)
            yield re.compile(rf"(?<=:){word}(?=@)"), MASK
            if len(form) < _SHORT:
                yield re.compile(rf"""(?P<quote>["'`]){word}(?P=quote)"""), rf"\g<quote>{MASK}\g<quote>"
            elif not is_said:
                yield re.compile(f"{_before(form)}{word}{_behind(form)}"), MASK


def _masked_word(word: re.Match[str]) -> str:
    """Masks passwords in URLs within a word: all end at its last @, so that what has none is not searched for them.

    A text of a log may be a megabyte long and begin a URL at every tenth letter.
    """
    before, at, behind = word[0].rpartition("@")
    if not at:
        return word[0]
    urls = before + at
    for rule in _URLS_BY_PLACE:
        urls = rule.sub(_SHOWN, urls)
    return urls + behind


def _before(form: str) -> str:
    """What must not stand before a word: it would be a part of a longer one, or of a path."""
    return r"(?<![\w/\\])(?<!\w[.-])" if form[0].isalnum() else ""


def _behind(form: str) -> str:
    return r"(?![\w/\\])(?![.-]\w)" if form[-1].isalnum() else ""


def _forms(secret: str) -> set[str]:
    plain = {secret, unquote(secret), unquote_plus(secret)}
    encoded = {encode(text) for text in plain for encode in (quote, lambda t: quote(t, safe=""), quote_plus)}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text) for text in encoded}
    written = {text for one in plain for text in (repr(one)[1:-1], *_in_json(one), _in_shell(one))}
    return {form for form in plain | encoded | lower | written if form.strip("*")}


def _in_json(text: str) -> tuple[str, str]:
    return json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]


def _in_shell(text: str) -> str:
    """Returns a text as `shlex.quote` writes it, without the quotes around it."""
    return text.replace("'", "'\"'\"'")
