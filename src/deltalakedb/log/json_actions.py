"""Bytes of JSON → actions. Pure.

Two ways through one grammar. The fast way decodes a whole piece of a commit straight into typed actions and accepts
only what they model. Whatever it refuses goes the patient way, value by value, which keeps unknown fields and
actions, takes numbers as other readers do, and tells file and line where it has to give up.

Both accept blank lines, CRLF, a missing final newline, several values on a line and values over many lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw

from ..errors import CorruptLogError
from .actions import (
    NO_RAW,
    Actions,
    Add,
    AddCDCFile,
    CommitInfo,
    DomainMetadata,
    Extra,
    Metadata,
    NamedAction,
    OtherAction,
    Protocol,
    Remove,
    Txn,
    check_metadata,
    is_absent,
    raw_text,
)

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


TypedAction = Add | Remove | Metadata | Protocol | Txn | AddCDCFile | DomainMetadata


class _Line(msgspec.Struct, rename={"metadata": "metaData"}, forbid_unknown_fields=True, gc=False):
    """One action as it stands in the log: an object with the action's name as its only key."""

    add: Add | None = None
    remove: Remove | None = None
    commitInfo: Raw = NO_RAW  # noqa: N815 (the log's own name)
    metadata: Metadata | None = None
    protocol: Protocol | None = None
    txn: Txn | None = None
    cdc: AddCDCFile | None = None
    domainMetadata: DomainMetadata | None = None  # noqa: N815


_TYPES: dict[str, type[TypedAction]] = {
    "add": Add,
    "remove": Remove,
    "metaData": Metadata,
    "protocol": Protocol,
    "txn": Txn,
    "cdc": AddCDCFile,
    "domainMetadata": DomainMetadata,
}
_LINES = msgspec.json.Decoder(_Line)
_OBJECTS = msgspec.json.Decoder(dict[str, Raw])
_FIELDS = msgspec.json.Decoder(dict[str, Raw] | None)
_STRICT = {name: msgspec.json.Decoder(kind) for name, kind in _TYPES.items()}
_LENIENT = {name: msgspec.json.Decoder(kind, strict=False) for name, kind in _TYPES.items()}
_KNOWN = {name: frozenset(kind.__struct_encode_fields__) - {"extra"} for name, kind in _TYPES.items()}
_DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decode_actions(chunks: Iterable[bytes], name: str) -> Iterator[Actions]:
    """Yields the actions of one JSON file, one `Actions` a piece.

    Args:
        chunks: the file's bytes, in pieces of any length.
        name: the file's name, for messages.

    Raises:
        CorruptLogError: not JSON, cut off, or an action that lacks what makes it one.
    """
    lines_before, before = 0, b""
    pieces = _whole_lines(chunks)
    for piece in pieces:
        lines_before += before.count(b"\n")  # only now: most files have one piece, and nobody asks
        before = piece
        try:
            yield _fast(piece)
        except _DECODE_ERRORS:
            # A value over many lines may go on in the next piece.
            whole = b"".join((piece, *pieces)) if _is_cut_off(piece) else piece
            yield _patient(whole, name, lines_before)


def _whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the bytes cut at ends of lines only, without a byte-order mark: at least one piece."""
    rest: list[bytes] = []
    mark = _BYTE_ORDER_MARK
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if end:
            yield b"".join((*rest, chunk[:end])).removeprefix(mark)
            rest, mark = [], b""
        if end < len(chunk):
            rest.append(chunk[end:])
    if rest or mark:
        yield b"".join(rest).removeprefix(mark)


def _is_cut_off(piece: bytes) -> bool:
    try:
        _OBJECTS.decode_lines(piece)
    except _DECODE_ERRORS as error:
        return "truncated" in str(error)
    return False


def _check_encoding(piece: bytes) -> None:
    """Raises UnicodeDecodeError where it is not UTF-8: the decoder skips over what it needn't build."""
    if not piece.isascii():
        piece.decode()


def _fast(piece: bytes) -> Actions:
    _check_encoding(piece)
    lines = _LINES.decode_lines(piece)
    actions = Actions(
        [line.add for line in lines if line.add is not None],
        [line.remove for line in lines if line.remove is not None],
    )
    for line in lines:
        if (
            line.commitInfo is not NO_RAW
            or line.cdc is not None
            or line.txn is not None
            or line.metadata is not None
            or line.protocol is not None
            or line.domainMetadata is not None
        ):
            actions.others += _named(line)
    return actions


def _named(line: _Line) -> Iterator[NamedAction]:
    if not is_absent(line.commitInfo):
        yield CommitInfo(raw_text(line.commitInfo))
    if line.metadata is not None:
        check_metadata(line.metadata)
    for action in (line.protocol, line.metadata, line.txn, line.domainMetadata, line.cdc):
        if action is not None:
            yield action


def _patient(piece: bytes, name: str, lines_before: int) -> Actions:
    try:
        _check_encoding(piece)
        values = _OBJECTS.decode_lines(piece)
    except UnicodeDecodeError as error:
        line = lines_before + piece.count(b"\n", 0, error.start) + 1
        raise _corrupt(name, line, f"not UTF-8 ({error.reason})") from error
    except _DECODE_ERRORS as error:
        line, reason = _first_error(piece, error)
        raise _corrupt(name, lines_before + line, reason) from error
    adds: list[Add] = []
    actions = Actions(adds)
    for number, value in enumerate(values):
        for key, raw in value.items():
            try:
                _append(actions, adds, key, raw)
            except _DECODE_ERRORS as error:
                line = lines_before + _line_of_value(piece, number)
                raise _corrupt(name, line, f"{key}: {error}") from error
    return actions


def _append(actions: Actions, adds: list[Add], key: str, raw: Raw) -> None:
    if key not in _TYPES:
        text = raw_text(raw)
        if key != "commitInfo":
            actions.others.append(OtherAction(key, text))
        elif not is_absent(raw):
            actions.others.append(CommitInfo(text))
    elif not is_absent(raw):
        action = decode_action(key, raw)
        if isinstance(action, Metadata):
            check_metadata(action)
        if isinstance(action, Add):
            adds.append(action)
        elif isinstance(action, Remove):
            actions.removes.append(action)
        else:
            actions.others.append(action)


def decode_action(name: str, raw: bytes | Raw) -> TypedAction:
    """Returns the typed action of `name` (as in the log) for its JSON object, unknown fields kept in `extra`.

    Raises:
        msgspec.ValidationError: a required field is missing, or a value doesn't fit its field.
    """
    try:
        return _STRICT[name].decode(raw)
    except msgspec.ValidationError:
        fields = _FIELDS.decode(raw) or {}
    known = {key: value for key, value in fields.items() if key in _KNOWN[name] and not is_absent(value)}
    unknown = {key: value for key, value in fields.items() if key not in _KNOWN[name]}
    action = _LENIENT[name].decode(msgspec.json.encode(known))
    if unknown:
        action.extra = Extra(msgspec.json.encode(unknown).decode())
    return action


def decode_named(name: str, raw: bytes | Raw) -> NamedAction:
    """Like decode_action, for the actions that aren't about files."""
    action = decode_action(name, raw)
    assert not isinstance(action, Add | Remove)
    return action


def _corrupt(name: str, line: int, reason: str) -> CorruptLogError:
    return CorruptLogError(f"{name}, line {line}: {reason}", "Restore the file from a backup; nothing was guessed.")


def _first_error(piece: bytes, error: BaseException) -> tuple[int, str]:
    """Returns the line (from 1) and the reason of the first value that can't be decoded."""
    for line, _, reason in _scan(piece):
        if reason:
            return line, reason
    return 1, str(error)


def _line_of_value(piece: bytes, number: int) -> int:
    return next((line for line, index, _ in _scan(piece) if index == number), 1)


def _scan(piece: bytes) -> Iterator[tuple[int, int, str | None]]:
    """Yields the line and number of each value, and what is wrong with it; slow, for messages only."""
    text = piece.decode()
    decoder, line, end, number = json.JSONDecoder(), 1, 0, 0
    while (begin := _skip_blank(text, end)) < len(text):
        line += text.count("\n", end, begin)
        try:
            value, end = decoder.raw_decode(text, begin)
        except json.JSONDecodeError as error:
            cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
            reason = "the action is cut off" if cut else f"not JSON ({error.msg}, column {error.colno})"
            yield line if cut else error.lineno, number, reason
            return
        except (ValueError, RecursionError) as error:
            yield line, number, "nested too deeply" if isinstance(error, RecursionError) else f"not JSON ({error})"
            return
        yield line, number, _complaint(text[begin:end]) if isinstance(value, dict) else "not an action (a JSON object)"
        line += text.count("\n", begin, end)
        number += 1


def _complaint(text: str) -> str | None:
    """What our decoder has against an object that Python's takes: NaN, half a surrogate pair."""
    try:
        _OBJECTS.decode(text)
    except _DECODE_ERRORS as error:
        return f"not JSON ({error})"
    return None


def _skip_blank(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position
