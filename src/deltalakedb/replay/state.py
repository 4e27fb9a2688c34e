"""Actions that aren't about the table's files → rows of their own tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from ..features import Asked
from ..log.actions import (
    Actions,
    Add,
    AddCDCFile,
    CommitInfo,
    DomainMetadata,
    Metadata,
    NamedAction,
    OtherAction,
    Protocol,
    Remove,
    Txn,
    is_absent,
    optional_text,
    plain_text,
)
from ..rows import CdcFileRow, CommitRow, DomainMetadataRow, MetadataRow, ProtocolRow, Rows, TransactionRow

_encode = msgspec.json.encode

StateAction = Metadata | Protocol | Txn | DomainMetadata
"""An action that holds until another one takes its place."""


class CommitSource(NamedTuple):
    """A commit to replay.

    The time of its file is in milliseconds since the epoch; `pieces` reads it, as often as it is called. `at_floor`
    says that a checkpoint of the same version comes with it, with which the history begins.
    """

    version: int
    name: str
    file_timestamp: int
    pieces: Callable[[], Iterable[Actions]]
    at_floor: bool = False


@dataclass(slots=True)
class CommitState:
    """Collects what one commit says beside its files, and makes rows of it."""

    source: CommitSource
    violations: list[str] = field(default_factory=list)
    info: CommitInfo | None = None
    metadata: Metadata | None = None
    protocol: Protocol | None = None
    transactions: dict[str, Txn] = field(default_factory=dict)
    domains: dict[str, DomainMetadata] = field(default_factory=dict)
    others: list[OtherAction] = field(default_factory=list)

    @property
    def version(self) -> int:
        """The commit's version."""
        return self.source.version

    @property
    def own(self) -> bool | None:
        """What its files have as `own_add` and `own_remove`."""
        return True if self.source.at_floor else None

    def take(self, piece: Actions) -> Rows:
        """Notes the actions of a piece; returns rows with its files of changes, which may be many."""
        rows = Rows()
        for action in piece.others:
            if isinstance(action, AddCDCFile):
                rows.cdc_files.append(_cdc_row(self.version, action))
            else:
                self._note(action)
        return rows

    def _note(self, action: NamedAction) -> None:
        before: msgspec.Struct | CommitInfo | None = None
        match action:
            case CommitInfo():
                before, self.info = self.info, action
            case Metadata():
                before, self.metadata = self.metadata, action
            case Protocol():
                before, self.protocol = self.protocol, action
            case Txn():
                before = self.transactions.pop(action.app_id, None)
                self.transactions[action.app_id] = action
            case DomainMetadata():
                before = self.domains.pop(action.domain, None)
                self.domains[action.domain] = action
            case OtherAction():
                self.others.append(action)
        if before is not None:
            self.duplicate(_LOG_NAMES[type(before)], before)

    def duplicate(self, name: str, action: msgspec.Struct | CommitInfo) -> None:
        """Notes an action that the protocol allows once a commit and that is there twice: kept, but not counted."""
        text = action.text if isinstance(action, CommitInfo) else action_json(action)
        self.others.append(OtherAction(name, text))
        self.violations.append(f"version {self.version} has {name} twice{_whose(action)}")

    def add_and_remove(self, path: str) -> None:
        """Notes that the commit adds and removes one file."""
        self.violations.append(f"version {self.version} adds and removes {path}; taken as added")

    def said(self, like: StateAction) -> StateAction | None:
        """Returns what the commit says of the same as another action."""
        match like:
            case Metadata():
                return self.metadata
            case Protocol():
                return self.protocol
            case Txn():
                return self.transactions.get(like.app_id)
        return self.domains.get(like.domain)

    def overrule(self, action: StateAction) -> None:
        """Notes that the checkpoint of the same version contradicts an action: it is kept, but not counted."""
        match action:
            case Metadata():
                self.metadata = None
            case Protocol():
                self.protocol = None
            case Txn():
                del self.transactions[action.app_id]
            case DomainMetadata():
                del self.domains[action.domain]
        name = _LOG_NAMES[type(action)]
        self.others.append(OtherAction(name, action_json(action)))
        what = f"another {name} than its commit{_whose(action)}"
        self.violations.append(f"version {self.version}: its checkpoint has {what}, and was followed")

    @property
    def cautions(self) -> list[str]:
        """What to say of the features that its protocol asks for."""
        return [] if self.protocol is None else _cautions(self.protocol)

    def finish(self) -> Rows:
        """Returns the rows of everything noted."""
        rows = Rows(commits=[_commit_row(self)])
        if self.metadata is not None:
            rows.metadata.append(_metadata_row(self.version, self.metadata))
        if self.protocol is not None:
            rows.protocols.append(_protocol_row(self.version, self.protocol))
        rows.transactions = [_transaction_row(self.version, txn) for txn in self.transactions.values()]
        rows.domain_metadata = [_domain_row(self.version, domain) for domain in self.domains.values()]
        return rows


class CheckpointState:
    """Makes rows of what a checkpoint says beside its files.

    Where the floor's own commit says the same, it says it for both, since it may say more; where it contradicts the
    checkpoint, that one counts. So the commit's rows are to be made afterwards.
    """

    def __init__(self, version: int, own: CommitState | None) -> None:
        self.version = version
        self.others: list[OtherAction] = []
        self.cautions: list[str] = []
        self._own = own
        self._seen: set[tuple[type, str | None]] = set()

    def take(self, piece: Actions) -> Rows:
        """Returns the rows of a piece, without its files."""
        rows = Rows()
        for action in piece.others:
            match action:
                case OtherAction():
                    self.others.append(action)
                case Metadata() if self._is_news(action, None):
                    rows.metadata.append(_metadata_row(self.version, action))
                case Protocol() if self._is_news(action, None):
                    rows.protocols.append(_protocol_row(self.version, action))
                    self.cautions += _cautions(action)
                case Txn() if self._is_news(action, action.app_id):
                    rows.transactions.append(_transaction_row(self.version, action))
                case DomainMetadata() if self._is_news(action, action.domain):
                    rows.domain_metadata.append(_domain_row(self.version, action))
        return rows

    def _is_news(self, action: StateAction, name: str | None) -> bool:
        """Tells whether neither the checkpoint nor the commit has said an action already."""
        if (type(action), name) in self._seen:
            return False
        self._seen.add((type(action), name))
        own = None if self._own is None else self._own.said(action)
        if self._own is None or own is None:
            return True
        if _meaning(own) == _meaning(action):
            return False
        self._own.overrule(own)
        return True


def _cautions(protocol: Protocol) -> list[str]:
    asked = Asked.of(protocol.min_reader_version, protocol.reader_features, protocol.writer_features)
    return list(asked.cautions())


def _meaning(action: StateAction) -> tuple[Any, ...]:
    """Returns what a table's readers make of an action, however it is written."""
    match action:
        case Metadata():
            texts = (action.schema_string, optional_text(action.partition_columns), optional_text(action.configuration))
            schema, columns, properties = map(_decoded, texts)
            return action.id, action.name or None, action.description or None, schema, columns or [], properties or {}
        case Protocol():
            features = (frozenset(names or ()) for names in (action.reader_features, action.writer_features))
            return action.min_reader_version, action.min_writer_version, *features
        case Txn():
            return (action.version,)
    return action.configuration or "", bool(action.removed)


def _decoded(text: str | None) -> Any:
    try:
        return None if text is None else msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return text


_LOG_NAMES: dict[type, str] = {
    CommitInfo: "commitInfo",
    Metadata: "metaData",
    Protocol: "protocol",
    Txn: "txn",
    DomainMetadata: "domainMetadata",
}


def _whose(action: msgspec.Struct | CommitInfo) -> str:
    match action:
        case Txn():
            return f" for {action.app_id}"
        case DomainMetadata():
            return f" for {action.domain}"
        case Add() | Remove():
            return f" for {action.path}"
    return ""


def action_json(action: msgspec.Struct) -> str:
    """Returns an action's JSON object, as the log has it, without absent fields."""
    values: dict[str, Any] = {}
    for name, attribute in zip(action.__struct_encode_fields__, action.__struct_fields__, strict=True):
        value = getattr(action, attribute)
        if attribute == "extra" and value is not None:
            values |= msgspec.json.decode(value.encode(), type=dict[str, Raw])
        elif value is not None and not (isinstance(value, Raw) and is_absent(value)):
            values[name] = value
    return _encode(values).decode()


def others_json(others: list[OtherAction]) -> str | None:
    """Returns a JSON list of actions that we don't model, each as it stands in the log; None where there is none."""
    return _encode([{other.name: Raw(other.text)} for other in others]).decode() if others else None


def _json_list(values: list[str] | None) -> str | None:
    return None if values is None else _encode(values).decode()


def _metadata_row(version: int, action: Metadata) -> MetadataRow:
    return MetadataRow(
        version,
        action.id,
        action.name,
        action.description,
        optional_text(action.format),
        action.schema_string,
        optional_text(action.partition_columns),
        optional_text(action.configuration),
        action.created_time,
        plain_text(action.extra),
    )


def _protocol_row(version: int, action: Protocol) -> ProtocolRow:
    return ProtocolRow(
        version,
        action.min_reader_version,
        action.min_writer_version,
        _json_list(action.reader_features),
        _json_list(action.writer_features),
        plain_text(action.extra),
    )


def _transaction_row(version: int, action: Txn) -> TransactionRow:
    return TransactionRow(action.app_id, version, action.version, action.last_updated, plain_text(action.extra))


def _domain_row(version: int, action: DomainMetadata) -> DomainMetadataRow:
    return DomainMetadataRow(action.domain, version, action.configuration, action.removed, plain_text(action.extra))


def _cdc_row(version: int, action: AddCDCFile) -> CdcFileRow:
    return CdcFileRow(
        version,
        action.path,
        optional_text(action.partition_values) or "{}",
        action.size,
        action.data_change,
        optional_text(action.tags),
        plain_text(action.extra),
    )


_FIELDS = msgspec.json.Decoder(dict[str, Any])


def _commit_row(state: CommitState) -> CommitRow:
    text = state.info.text if state.info else None
    info = _info_fields(text)
    in_commit = _integer(info.get("inCommitTimestamp"))
    told = _integer(info.get("timestamp"))
    file_time = state.source.file_timestamp
    return CommitRow(
        version=state.version,
        timestamp=in_commit if in_commit is not None else told if told is not None else file_time,
        in_commit_timestamp=in_commit,
        file_timestamp=file_time,
        operation=_string(info.get("operation")),
        operation_parameters=_json(info.get("operationParameters")),
        operation_metrics=_json(info.get("operationMetrics")),
        user_id=_string(info.get("userId")),
        user_name=_string(info.get("userName")),
        engine_info=_string(info.get("engineInfo")),
        txn_id=_string(info.get("txnId")),
        is_blind_append=info["isBlindAppend"] if isinstance(info.get("isBlindAppend"), bool) else None,
        commit_info=text,
        other_actions=others_json(state.others),
        own_actions=_own_actions(state) if state.source.at_floor else None,
    )


def _own_actions(state: CommitState) -> str:
    """Which rows beside those of files a commit has made: a checkpoint adds more of its version."""
    once = (("metaData", state.metadata), ("protocol", state.protocol))
    names = (("txn", list(state.transactions)), ("domainMetadata", list(state.domains)))
    return _encode({**{name: True for name, action in once if action}, **{k: v for k, v in names if v}}).decode()


def _info_fields(text: str | None) -> dict[str, Any]:
    """The fields of a commitInfo; it holds what its writer likes, so nothing of it may be relied on."""
    if text is None:
        return {}
    try:
        return _FIELDS.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return {}


def _integer(value: Any) -> int | None:
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _json(value: Any) -> str | None:
    return None if value is None else _encode(value).decode()
