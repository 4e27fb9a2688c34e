"""Rows in the binary format of COPY: what a server makes of them is what went in."""

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltalakedb.catalog.packing.copy_format import BEGIN, END, Column, binary_rows

_NUMBERS = st.integers(-(2**63), 2**63 - 1)
_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_KINDS = {int: _NUMBERS, bool: st.booleans(), str: _TEXTS}


@st.composite
def _columns(draw: st.DrawFn) -> list[Column]:
    rows = draw(st.integers(1, 4))
    kinds = draw(st.lists(st.sampled_from([int, bool, str]), min_size=1, max_size=6))
    values = [_KINDS[kind] if draw(st.booleans()) else _KINDS[kind] | st.none() for kind in kinds]
    lists = [draw(st.lists(v, min_size=rows, max_size=rows)) for v in values]
    return [Column(kind, values, draw(st.booleans())) for kind, values in zip(kinds, lists, strict=True)]


def test_a_server_reads_what_was_written(database_url: str):
    if not database_url.startswith("postgresql"):
        pytest.skip("COPY is PostgreSQL's")
    with psycopg.connect(database_url, prepare_threshold=None) as connection:

        @settings(max_examples=60, deadline=None)
        @given(_TEXTS, _columns())
        def check(constant: str, columns: list[Column]) -> None:
            types = {int: "int8", bool: "bool", str: "text"}
            made = ", ".join(f"c{at} {types[column.kind]}" for at, column in enumerate(columns))
            connection.execute("DROP TABLE IF EXISTS pg_temp.copied")
            connection.execute(f"CREATE TEMP TABLE copied (constant text, {made})")
            order, data = binary_rows(constant, columns)
            names = ", ".join(["constant", *(f"c{at}" for at in order)])
            with connection.cursor().copy(f"COPY copied ({names}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(BEGIN + data + END)
            found = connection.execute("SELECT * FROM copied").fetchall()
            assert found == [(constant, *row) for row in zip(*(column.values for column in columns), strict=True)]

        check()
        connection.rollback()
