"""Tells a webhook of problems: of each once, and once more when it is gone.

What was told is kept in a file and not in the catalog: a role that may only read is enough for a check, two machines
may tell two webhooks of one catalog, and the catalog itself may be what can't be reached.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..catalog.problems import Problem
from ..errors import ArgumentError, DeltaLakeDBError
from ..home import home_expanded

_TIMEOUT_SECONDS = 10
_PAUSES_SECONDS = (1.0, 4.0)
"""Between one attempt and the next."""


class WebhookError(Exception):
    """The webhook could not be told. The message doesn't hold its URL, which often is a secret."""


def check_url(url: str) -> str:
    """Returns a webhook's URL; raises ArgumentError where it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ArgumentError("The webhook is not an http:// or https:// URL.")
    return url


def default_state(database: str, url: str) -> Path:
    """Returns the file that keeps what a webhook was told of a database.

    Raises:
        OSError: there is no home folder to keep it in.
    """
    home = home_expanded("~")
    if home == "~" and not os.environ.get("XDG_STATE_HOME"):
        raise FileNotFoundError(errno.ENOENT, "There is no home folder")
    folder = os.environ.get("XDG_STATE_HOME") or Path(home, ".local", "state")
    name = hashlib.blake2b(f"{database}\n{url}".encode(), digest_size=12).hexdigest()
    return Path(folder, "deltalakedb", f"check-{name}.json")


@dataclass(frozen=True, slots=True)
class Told:
    """Whether there was anything to tell, and why it could not be noted; then the next check tells it once more."""

    posted: bool
    unkept: str | None = None


def tell(url: str, state: Path | None, database: str, problems: Sequence[Problem]) -> Told:
    """Posts what is new and what is gone since the webhook was last told.

    The file moves on only after the webhook has accepted: what it was not told it is told by the next check. Where the
    catalog can't be reached, nothing that was told counts as gone. Where the file can't be written, the webhook is told
    all the same.

    Args:
        url: the webhook's.
        state: keeps what it was told; None for the file of this webhook and database.
        database: where the problems are, for people.
        problems: what is wrong now.

    Raises:
        WebhookError: it did not accept, in three attempts.
        DeltaLakeDBError: the file is there and holds something else.
    """
    file: Path | None = None
    unkept: str | None = None
    told: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        try:
            file = state or default_state(database, url)
            stack.enter_context(_locked(file))
        except OSError as error:
            unkept = _reason(error)
        with suppress(OSError):
            told = {} if file is None else _read(file)
        now = {_key(problem): asdict(problem) for problem in problems}
        if any(problem.kind == "unreachable" for problem in problems):
            now = told | now
        new = [now[key] for key in now if key not in told]
        gone = [told[key] for key in told if key not in now]
        if not new and not gone:
            return Told(posted=False)
        _post(url, {"database": database, "problems": list(now.values()), "new": new, "gone": gone})
        if file is not None and unkept is None:
            try:
                _write(file, now)
            except OSError as error:
                unkept = _reason(error)
    return Told(posted=True, unkept=unkept)


def _reason(error: OSError) -> str:
    return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"


def _key(problem: Problem) -> str:
    return f"{problem.kind} {problem.table_id or ''}"


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    """One check at a time: two that overlap would tell everything twice."""
    state.parent.mkdir(parents=True, exist_ok=True)
    with state.with_name(f"{state.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(state: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(state.read_text(encoding="utf-8"))
        return {str(key): dict(problem) for key, problem in found["told"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeltaLakeDBError(
            f"{state} doesn't hold what a webhook was told", "Delete it; what is wrong is then told once more."
        ) from error


def _write(state: Path, told: dict[str, dict[str, Any]]) -> None:
    fresh = state.with_name(f"{state.name}.new")
    fresh.write_text(json.dumps({"told": told}), encoding="utf-8")
    fresh.replace(state)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET, and nobody has been told."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _post(url: str, document: dict[str, Any]) -> None:
    opener = urllib.request.build_opener(_NoRedirects)
    data = json.dumps(document).encode()
    where = f"{urlsplit(url).scheme}://{urlsplit(url).hostname}/…"
    for pause in (*_PAUSES_SECONDS, None):
        request = urllib.request.Request(url, data, {"Content-Type": "application/json", "User-Agent": "deltalakedb"})
        try:
            with opener.open(request, timeout=_TIMEOUT_SECONDS):
                return
        except urllib.error.HTTPError as error:
            reason = f"answered {error.code}"
            again = error.code >= 500 or error.code in (408, 429)
            error.close()
        except (OSError, http.client.HTTPException) as error:
            reason, again = f"can't be reached ({type(getattr(error, 'reason', error)).__name__})", True
        if pause is None or not again:
            raise WebhookError(f"The webhook at {where} {reason}")
        time.sleep(pause)
