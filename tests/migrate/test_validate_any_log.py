"""Whatever a log does within the protocol: imported, synced and cleaned up, its catalog is valid."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from deltalakedb.catalog.database import Database
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.validate import validate
from tests.support.logs import (
    Action,
    LogBuilder,
    add,
    cdc,
    commit_info,
    domain,
    dv,
    file_key,
    metadata,
    protocol,
    remove,
    txn,
)

START = [protocol(features=["deletionVectors"], writer_features=["domainMetadata"]), metadata(), commit_info("CREATE")]

paths = st.sampled_from(["a", "b", "c%20d"])
vectors = st.sampled_from([{}, {"deletionVector": dv("x", "u")}, {"deletionVector": dv("x", "u", offset=1)}])
add_fields = st.sampled_from(
    [
        {},
        {"tags": {"k": "v"}},
        {"stats": None},
        {"stats": '{"numRecords":5,"minValues":{"id":1}}'},
        {"baseRowId": 3, "defaultRowCommitVersion": 1},
        {"unknown": [1, None, 2.5]},
    ]
)
remove_fields = st.sampled_from(
    [
        {},
        {"size": 2, "extendedFileMetadata": True},
        {"deletionTimestamp": ...},
        {"stats": '{"numRecords":1}', "partitionValues": {}},
        {"unknown": None},
    ]
)
actions = st.one_of(
    st.builds(lambda path, vector, fields: add(path, **vector, **fields), paths, vectors, add_fields),
    st.builds(lambda path, vector, fields: remove(path, **vector, **fields), paths, vectors, remove_fields),
    st.builds(txn, st.sampled_from(["app", "other"]), st.integers(1, 5)),
    st.builds(lambda name, removed: domain(name, removed=removed), st.sampled_from(["D", "E"]), st.booleans()),
    st.builds(cdc, paths),
    st.builds(lambda name: metadata(name=name), st.sampled_from([None, "one", "two"])),
    st.builds(commit_info, st.sampled_from(["WRITE", "MERGE"])),
)


def once_each(commit: list[Action]) -> list[Action]:
    """A commit without what the protocol forbids: two actions on one thing."""
    kept: dict[object, Action] = {}
    for action in commit:
        ((name, body),) = action.items()
        about = file_key(body) if name in ("add", "remove") else (name, body.get("appId"), body.get("domain"))
        kept.setdefault((about, body.get("path")), action)
    return list(kept.values())


commits = st.lists(st.lists(actions, max_size=6).map(once_each), min_size=1, max_size=5)


@settings(max_examples=25)
@given(commits, commits, st.data())
def test_any_log(before: list[list[Action]], after: list[list[Action]], data: st.DataObject):
    with tempfile.TemporaryDirectory() as folder:
        log = LogBuilder(Path(folder) / "t")
        database = Database(f"sqlite:///{folder}/catalog.db")
        log.commit(*START)
        for commit in before:
            log.commit(*commit)
        import_table(database, str(log.root), batch_size=data.draw(st.sampled_from([1, 3, 1000])))
        for commit in after:
            log.commit(*commit)
        found = validate(database, str(log.root), all_versions=True).differences
        assert found == (), "the log has grown"
        import_table(database, str(log.root), resume=True)
        found = validate(database, str(log.root), all_versions=True).differences
        assert found == (), "synced"
        version = data.draw(st.integers(0, log.version))
        log.checkpoint(version)
        log.drop(range(data.draw(st.integers(0, version + 1))))
        found = validate(database, str(log.root), all_versions=True).differences
        assert found == (), "cleaned up"
        database.close()
