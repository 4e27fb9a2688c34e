"""Storage options, under the names that delta-rs has for them → what obstore is to be made with.

Where nothing is given, obstore looks where each cloud's own tools look: in the environment, at a web identity, and at
the services that give instances and containers their roles. Profiles of AWS are boto3's to read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ArgumentError
from ...home import home_expanded
from .uri import Uri

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_PREFIXES = {"s3": ("aws_",), "gs": ("google_", "gcs_", "gcp_"), "azure": ("azure_", "azurite_", "fabric_")}
"""How the names of a cloud's own options begin; those of other clouds are passed over."""

_CLIENT = frozenset(
    {
        "allow_http",
        "allow_invalid_certificates",
        "connect_timeout",
        "default_content_type",
        "http1_only",
        "http2_keep_alive_interval",
        "http2_keep_alive_timeout",
        "http2_keep_alive_while_idle",
        "http2_only",
        "pool_idle_timeout",
        "pool_max_idle_per_host",
        "proxy_ca_certificate",
        "proxy_excludes",
        "proxy_url",
        "timeout",
        "user_agent",
    }
)
"""Options of the HTTP client; in the environment, and for delta-rs, they may have the cloud's prefix."""

_RETRY = frozenset(
    {
        "max_retries",
        "retry_timeout",
        "backoff_config.init_backoff",
        "backoff_config.max_backoff",
        "backoff_config.base",
    }
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}

_WRITERS_ONLY = re.compile(
    r"(aws_)?(s3_(allow_unsafe_rename|locking_provider|pool_idle_timeout_seconds|sts_pool_idle_timeout_seconds"
    r"|get_internal_server_error_retries|default_max_retry_elapsed_time|force_credential_load)|conditional_put"
    r"|copy_if_not_exists|force_credential_load|endpoint_url_dynamodb|endpoint_url_sts)"
    r"|dynamo_.*|delta_dynamo_.*|mount_allow_unsafe_rename|allow_unsafe_rename"
)
"""Options of delta-rs that matter to who writes."""

_SECRET = re.compile(
    r"secret|customer_key|token(?!_(file|uri|service))|password|account_key$|access_key$|master_key|sas|credentials?$|service_account_key|"
    r"bearer|encryption_key|proxy_url",
    re.I,
)
_NOT_SECRET = re.compile(r"_(file|uri|url_sts)$|^google_application_credentials$|_path$", re.I)


def is_secret(name: str) -> bool:
    """Tells by an option's name whether its value must not be shown."""
    return _SECRET.search(name) is not None and _NOT_SECRET.search(name) is None


def secret_values(options: Mapping[str, str]) -> list[str]:
    """Returns the values that must not be shown."""
    return [value for name, value in options.items() if value and is_secret(name)]


@dataclass(slots=True)
class _Made:
    """What obstore's constructors take."""

    config: dict[str, Any] = field(default_factory=dict)
    client: dict[str, Any] = field(default_factory=dict)
    retry: dict[str, str] = field(default_factory=dict)
    provider: Any = None


def make_store(uri: Uri, options: Mapping[str, str]) -> ObjectStore:
    """Returns obstore's store of a bucket.

    Raises:
        ArgumentError: an option that obstore does not know, or can't use.
    """
    import obstore.store
    from obstore.exceptions import BaseError

    made = _sorted(uri, options)
    if uri.cloud == "s3":
        _add_profile(made, options)
    given: dict[str, Any] = {
        "client_options": {"user_agent": "deltalakedb", **made.client},
        "credential_provider": made.provider,
        "config": made.config or None,
    }
    try:
        given["retry_config"] = _retries(made.retry)
        store: ObjectStore = obstore.store.from_url(
            uri.bucket, **{name: value for name, value in given.items() if value is not None}
        )
    except (BaseError, ValueError, TypeError) as error:
        raise ArgumentError(
            f"The storage options for {uri.bucket} don't fit: {_brief(error, options)}", _hint(uri, str(error))
        ) from None
    return store


def _hint(uri: Uri, problem: str) -> str:
    if "Account must be specified" in problem:
        return "Set AZURE_STORAGE_ACCOUNT_NAME, or --storage-option azure_storage_account_name=…"
    return f"docs/stores.md lists the options for {uri.bucket.partition(':')[0]}://."


def _brief(error: Exception, options: Mapping[str, str]) -> str:
    text = " ".join(str(error).partition("\n\nDebug source")[0].split())
    for value in secret_values(options):
        text = text.replace(value, "***")
    return text


def _sorted(uri: Uri, options: Mapping[str, str]) -> _Made:
    """Tells the options of obstore's three parts apart, and leaves out what is not for this store."""
    made = _Made(client=_client_from_environment(uri))
    foreign = tuple(prefix for cloud, some in _PREFIXES.items() if cloud != uri.cloud for prefix in some)
    for given, value in options.items():
        name = given.lower()
        bare = next((name.removeprefix(one) for one in _PREFIXES[uri.cloud] if name.startswith(one)), name)
        if name.startswith(foreign) or _WRITERS_ONLY.fullmatch(name) or bare == "profile":
            continue
        if bare in _CLIENT:
            made.client[bare] = value
        elif name in _RETRY:
            made.retry[name] = value
        else:
            made.config["aws_endpoint_url" if name == "aws_endpoint_url_s3" else name] = value
    return made


def _client_from_environment(uri: Uri) -> dict[str, Any]:
    """What obstore reads from the environment itself, unless it is given any option of the client."""
    names = {f"{prefix}{name}".upper(): name for prefix in _PREFIXES[uri.cloud] for name in _CLIENT}
    return {name: os.environ[variable] for variable, name in names.items() if variable in os.environ}


def _retries(given: Mapping[str, str]) -> Any:
    """A store that is down is given up after some seconds, not after obstore's three minutes."""
    return {
        "max_retries": int(given.get("max_retries", "5")),
        "retry_timeout": _duration(given.get("retry_timeout", "30s")),
        "backoff": {
            "init_backoff": _duration(given.get("backoff_config.init_backoff", "100ms")),
            "max_backoff": _duration(given.get("backoff_config.max_backoff", "5s")),
            "base": float(given.get("backoff_config.base", "2")),
        },
    }


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration such as 30s or 500ms")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


# ---- profiles of AWS

_OWN_CREDENTIALS = (
    "aws_access_key_id",
    "access_key_id",
    "aws_web_identity_token_file",
    "aws_container_credentials_relative_uri",
    "aws_container_credentials_full_uri",
    "aws_skip_signature",
    "skip_signature",
)


def _add_profile(made: _Made, options: Mapping[str, str]) -> None:
    """Lets boto3 find the credentials where they are a profile's: obstore does not read AWS' configuration files."""
    given = {name.lower(): value for name, value in options.items()}
    named = given.get("aws_profile") or given.get("profile")
    if named is None and any(name in given or name.upper() in os.environ for name in _OWN_CREDENTIALS):
        return
    profile = named or os.environ.get("AWS_PROFILE")
    if profile is None and not _configuration_file().exists():
        return
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        if profile is None:
            return
        raise ArgumentError(
            f"The AWS profile {profile!r} can't be read without boto3.",
            "pip install boto3, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ) from None
    try:
        session = boto3.Session(profile_name=profile)
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise ArgumentError(f"The AWS profile {profile!r} can't be used: {error}", "Check ~/.aws/config.") from None
    if credentials is None:
        return
    made.provider = Boto3CredentialProvider(session)
    if session.region_name and not any("region" in name for name in made.config) and "AWS_REGION" not in os.environ:
        made.config["aws_region"] = session.region_name


def _configuration_file() -> Path:
    return Path(home_expanded(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")))
