"""The types of the catalog's columns, as each database has them.

In MySQL and MariaDB text is compared letter by letter, as elsewhere: neither case nor blanks at its end are overlooked.
Their `TEXT` holds 64 KiB and their times whole seconds unless said otherwise. MySQL's own `JSON` would order members
anew and MariaDB's is LONGTEXT: both keep JSON as LONGTEXT here, as it is in the log.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import DateTime, String
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeEngine, UserDefinedType


class _MySQLText(UserDefinedType[str]):
    """Text of MySQL and MariaDB that is equal only to itself."""

    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        self.length = length


@compiles(_MySQLText, "mysql")
def _mysql_text(kind: _MySQLText, compiler: Any, **_: Any) -> str:
    collation = "utf8mb4_nopad_bin" if compiler.dialect.is_mariadb else "utf8mb4_0900_bin"
    spelled = "LONGTEXT" if kind.length is None else f"VARCHAR({kind.length})"
    return f"{spelled} CHARACTER SET utf8mb4 COLLATE {collation}"


class _JsonText(UserDefinedType[str]):
    """PostgreSQL's `json`, given and taken as text. SQLAlchemy's own would encode our text a second time."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "JSON"


def letters(length: int) -> TypeEngine[str]:
    """Returns the type of a text of so many letters at most."""
    return String(length).with_variant(_MySQLText(length), "mysql")


def key_text(length_in_mysql: int) -> TypeEngine[str]:
    """Returns the type of a text of any length that a key has; in MySQL keys are short."""
    return sqlalchemy.Text().with_variant(_MySQLText(length_in_mysql), "mysql")


Text: TypeEngine[str] = sqlalchemy.Text().with_variant(_MySQLText(), "mysql")
"""Text of any length."""

Json: TypeEngine[str] = Text.with_variant(_JsonText(), "postgresql")
"""JSON as text, letter by letter as in the log. In PostgreSQL `json`, which keeps the text; `jsonb` would not."""

Time = DateTime(timezone=True).with_variant(DATETIME(fsp=6), "mysql")
"""A time in UTC, to the microsecond."""
