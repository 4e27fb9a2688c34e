"""What an object store's refusal means: our errors, in one line, with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...errors import (
    ArgumentError,
    DeltaLakeDBError,
    LocationNotFoundError,
    PermissionDeniedError,
    StorageError,
)

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or --storage-option aws_access_key_id=…",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or --storage-option google_service_account=…",
    "azure": "AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_KEY, or --storage-option azure_storage_account_key=…",
}

_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")
_WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed", "ExpiredToken", "InvalidToken")
_METADATA_SERVICES = ("169.254.169.254", "metadata.google.internal", "169.254.170.2")

_RULES = (
    (_NO_BUCKET, "no bucket"),
    (_METADATA_SERVICES, "no credentials"),
    (_WRONG_KEY, "wrong key"),
    (("401 Unauthorized", "403 Forbidden"), "not for us"),
    (("PermanentRedirect", "AuthorizationHeaderMalformed", "incorrectly configured region"), "region"),
    (("status code: 5", "status code: 429", "status code: 408"), "stumbles"),
    (("error sending request", "operation timed out", "timed out", "HTTP error"), "unreachable"),
)


@contextmanager
def our_errors(cloud: str, bucket: str, where: str, scrub: Callable[[str], str]) -> Iterator[None]:
    """Raises our errors for those of obstore.

    Args:
        cloud: as in `Uri`.
        bucket: its URI.
        where: what was asked for, for people.
        scrub: takes the secrets out of a text.
    """
    from obstore.exceptions import BaseError

    try:
        yield
    except DeltaLakeDBError:  # some of them are also ValueErrors
        raise
    except FileNotFoundError as error:
        raise _explained(error, cloud, bucket, where, scrub) or LocationNotFoundError(
            f"Not found: {where}", "Check the path."
        ) from None
    except (BaseError, OSError, ValueError) as error:
        ours = _explained(error, cloud, bucket, where, scrub)
        if ours is None:
            raise StorageError(f"Can't read {where}: {scrub(first_line(error))}") from None
        raise ours from None


def _explained(
    error: Exception, cloud: str, bucket: str, where: str, scrub: Callable[[str], str]
) -> DeltaLakeDBError | None:
    text = str(error)
    kind = next((kind for marks, kind in _RULES if any(mark in text for mark in marks)), None)
    match kind:
        case "no bucket":
            return LocationNotFoundError(
                f"Not found: {bucket} (there is no such bucket)", "Check its name and account."
            )
        case "no credentials":
            return PermissionDeniedError(
                f"Permission denied: no credentials for {bucket} were found", f"Set {_CREDENTIALS[cloud]}."
            )
        case "wrong key":
            code = next(mark for mark in _WRONG_KEY if mark in text)
            return PermissionDeniedError(
                f"Permission denied: {where} (the store does not accept the credentials: {code})",
                f"Check {_CREDENTIALS[cloud]}.",
            )
        case "not for us":
            return PermissionDeniedError(
                f"Permission denied: {where}", "The credentials need the right to list and to read below the location."
            )
        case "region":
            return StorageError(
                f"Can't read {where}: the bucket is in another region, or behind another endpoint",
                "Set AWS_REGION, or --storage-option aws_region=…",
            )
        case "stumbles":
            return StorageError(
                f"Can't read {where}: the store answers {_status(text)}{_tries(text)}",
                "Try again when the store has recovered.",
                transient=True,
            )
        case "unreachable":
            return StorageError(
                f"Can't reach {_host(text) or bucket} for {where}: no answer{_tries(text)}",
                "Check the network, and the endpoint if you have set one.",
                transient=True,
            )
    if isinstance(error, ValueError):
        return ArgumentError(f"Not a path: {where} ({scrub(first_line(error))})")
    return None


def first_line(error: BaseException) -> str:
    """Returns what an error says, without the dump of its insides that obstore puts behind."""
    text = " ".join(str(error).partition("\n\nDebug source")[0].split())
    text = re.sub(r"<\?xml.*|<Error>.*", "", text).strip(" -:")
    return text if len(text) <= 300 else f"{text[:300]}…"


def _host(text: str) -> str | None:
    match = re.search(r"\b(?:GET|PUT|HEAD|POST) (https?://[^\s/?#]+)", text)
    return match[1] if match else None


def _status(text: str) -> str:
    match = re.search(r"status code: (\d+[A-Za-z ]*)", text)
    return match[1].strip() if match else "with an error"


def _tries(text: str) -> str:
    retries = re.search(r"after (\d+) retries", text)
    return f" after {int(retries[1]) + 1} tries" if retries else ""
