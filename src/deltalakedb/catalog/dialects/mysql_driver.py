"""PyMySQL's connection with what it lacks: several streams at once, and rows that are loaded from memory.

Source: MySQL's documentation, "Client/Server Protocol", "Text Resultset" and "LOCAL INFILE Request".
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import cached_property
from typing import IO, Any, NamedTuple

from pymysql.connections import Connection, MySQLResult
from pymysql.constants import CR, ER
from pymysql.cursors import Cursor
from pymysql.err import OperationalError
from pymysql.protocol import MysqlPacket

ASIDE_BYTES = 32 << 20
"""Rows of a stream that somebody else's statement interrupts wait in memory up to this size, beyond it on disk."""

_PACKET_BYTES = 1 << 20

_SMALL_BYTES = 1 << 10
"""No server takes less at once: `max_allowed_packet` is at least that."""


class Limits(NamedTuple):
    """What a server says of itself: whether it takes rows by `LOAD DATA LOCAL`, and how large a packet may be."""

    local_infile: bool
    most_bytes: int


class StreamingConnection(Connection):  # type: ignore[misc]
    """A connection whose unbuffered cursors may be read in turns, and beside other statements.

    The server sends one result after the other. So whoever sends a statement while another one's rows are still on
    their way first takes those off the wire, undecoded, and they are read from there.
    """

    _to_load: Iterable[bytes] | None = None
    _result: Any
    _read_timeout: float | None

    def connect(self, sock: Any = None) -> None:
        """Connects, and waits for a greeting and the log-in no longer than for the connection; PyMySQL has no limit."""
        patience, self._read_timeout = self._read_timeout, min(filter(None, (self._read_timeout, self.connect_timeout)))
        try:
            super().connect(sock)
        except OperationalError as error:
            if isinstance(error.__context__, TimeoutError):
                silent = f"The server did not answer within {self.connect_timeout} s"
                raise OperationalError(CR.CR_CONN_HOST_ERROR, silent) from error
            raise
        finally:
            self._read_timeout = patience

    @cached_property
    def limits(self) -> Limits:
        """What the server takes."""
        with self.cursor(Cursor) as cursor:
            cursor.execute("SELECT @@local_infile, @@max_allowed_packet")
            local_infile, most_bytes = cursor.fetchone()
        return Limits(bool(local_infile), int(most_bytes))

    def load_local(self, statement: str, data: Iterable[bytes]) -> tuple[int, int]:
        """Runs a `LOAD DATA LOCAL` with the given bytes in place of a file's.

        Returns how many rows there are by it, and how many warnings: a bad value is none but a warning there.
        """
        self._to_load = data
        try:
            rows: int = self.query(statement)
            return rows, self._result.warning_count
        finally:
            self._to_load = None

    def take_to_load(self) -> Iterable[bytes]:
        """Returns the bytes for the server; whatever file it names, no file of this machine is ever sent."""
        data, self._to_load = self._to_load, None
        if data is None:
            raise PermissionError("the server asked for a file of this machine, which it does not get")
        return data

    def _execute_command(self, command: int, sql: str | bytes | bytearray) -> None:
        if self._result is not None and self._result.unbuffered_active:
            self._result.set_aside()
        # Of a packet that is too large a server takes half, and hangs up: to us it would have gone away.
        if len(sql) > _SMALL_BYTES and (size := _size(sql, self.encoding)) >= self.limits.most_bytes:
            too_large = f"a statement of {size:,} bytes; max_allowed_packet is {self.limits.most_bytes:,}"
            raise OperationalError(ER.NET_PACKET_TOO_LARGE, too_large)
        super()._execute_command(command, sql)

    def _read_query_result(self, unbuffered: bool = False) -> int:
        self._result = None
        result = _Result(self)
        if unbuffered:
            result.init_unbuffered_query()
        else:
            result.read()
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
        return result.affected_rows  # type: ignore[no-any-return]


class _Result(MySQLResult):  # type: ignore[misc]
    """A result whose rows may be set aside, and a load whose bytes are ours."""

    connection: Any
    _aside: IO[bytes] | None = None

    def __del__(self) -> None:
        if self._aside is not None:
            self._aside.close()
        super().__del__()

    def set_aside(self) -> None:
        """Takes the rows that are left off the wire."""
        self._aside = spool = tempfile.SpooledTemporaryFile(max_size=ASIDE_BYTES)  # noqa: SIM115 (closed at the end)
        while not self._check_packet_is_eof(packet := self.connection._read_packet()):
            data = packet.get_all_data()
            spool.write(len(data).to_bytes(4, "little"))
            spool.write(data)
        self.unbuffered_active, self.connection = False, None
        spool.seek(0)

    def _read_rowdata_packet_unbuffered(self) -> tuple[Any, ...] | None:
        if self._aside is None:
            return super()._read_rowdata_packet_unbuffered()  # type: ignore[no-any-return]
        length = int.from_bytes(self._aside.read(4), "little")
        return self._read_row_from_packet(MysqlPacket(self._aside.read(length), "utf-8")) if length else None

    def _read_load_local_packet(self, first_packet: Any) -> None:  # noqa: ARG002 (it names a file, and gets none)
        connection = self.connection
        most = min(_PACKET_BYTES, connection.limits.most_bytes // 2)
        try:
            for data in connection.take_to_load():
                for begin in range(0, len(data), most):
                    connection.write_packet(data[begin : begin + most])
        finally:
            connection.write_packet(b"")  # the end
            answer = connection._read_packet()
        self._read_ok_packet(answer)


def _size(sql: str | bytes | bytearray, encoding: str) -> int:
    return len(sql.encode(encoding, "surrogateescape") if isinstance(sql, str) else sql)
