from sqlalchemy import text

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database

OTHERS = """
INSERT INTO delta_files (table_id, path, added_version, removed_version, partition_values, key_hash)
SELECT 'other', 'f' || n, 0, CASE WHEN n % 2 = 0 THEN 1 END, '{}', n FROM generate_series(1, 20000) n
"""
SCANNED = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'delta_files'"


def test_deleting_a_tables_files_does_not_read_those_of_others(postgresql_url: str):
    database = Database(postgresql_url)
    with database.transaction() as connection:
        connection.execute(text(OTHERS))
        connection.execute(text(OTHERS.replace("'other'", "'mine'").replace("20000", "10")))
    with database.writing() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE delta_files"))
    with database.transaction() as connection:
        before = connection.execute(text(SCANNED)).scalar_one()
        deleted = registry.delete_rows(connection, "mine")
        scanned = connection.execute(text(SCANNED)).scalar_one() - before
        left = connection.execute(text("SELECT count(*) FROM delta_files")).scalar()
    assert deleted["delta_files"] == 10
    assert scanned == 0
    assert left == 20_000
    database.close()
