"""Random logs: what SQL says of every version is what a plain replay of the log says."""

import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.gaps import Gap, gaps_of
from deltalakedb.catalog.snapshot import Snapshot, snapshot
from deltalakedb.errors import CatalogError, VersionNotFoundError
from deltalakedb.migrate.importer import import_table
from deltalakedb.replay import ends
from tests.support.catalogs import MOMENTS, WATERMARK, dump, execute
from tests.support.databases import sqlite_url
from tests.support.logs import LogBuilder, add, cdc, commit_info, domain, dv, file_key, metadata, protocol, remove, txn
from tests.support.rebuild import plain, rebuild

V2 = {"features": ["v2Checkpoint", "deletionVectors"], "writer_features": ["domainMetadata"]}
FORMS: list[dict[str, Any]] = [{}, {"parts": 2}, {"v2": "json"}, {"v2": "parquet", "sidecars": 2}, {"v2": "classic"}]
# Without shrinking, which takes minutes here and saves little: the logs are short as they are.
EXAMPLES = settings(
    max_examples=30,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# ---- the plain replay


def plain_replay(commits: dict[int, list[dict]], version: int) -> dict[Any, tuple[int, dict]]:
    """`(version of its action, action)` of every file, `metaData`, `protocol`, `txn` and domain that holds."""
    state: dict[Any, tuple[int, dict]] = {}
    for number in range(version + 1):
        for action in sorted(commits[number], key=lambda action: "add" in action):
            for name, body in action.items():
                key = {"txn": body.get("appId"), "domainMetadata": body.get("domain")}.get(name)
                if name in ("add", "remove"):
                    state.pop(("add", file_key(body)), None)
                    key = file_key(body)
                state[name, key] = (number, body)
                if name == "remove" or body.get("removed"):
                    del state[name, key]
    return state


# ---- random logs

VECTORS = [None, dv("x", "u"), dv("x", "u", 0), dv("x", "u", 4)]
SHARED = [
    {},
    {"partitionValues": {"p": "1"}, "tags": {"t": "1"}, "size": 5, "stats": "{}", "baseRowId": 3},
    {"partitionValues": {"p": None}, "tags": {"t": "2"}, "size": 6, "defaultRowCommitVersion": 0, "new": [1]},
]
"""Fields that an add and the remove of its file both have, with the same values or with others."""
KEYS = [(path, vector) for path in ("a", "b", "a b%20c") for vector in VECTORS]


@dataclass
class RandomLog:
    """Commits by version, the forms of checkpoints by version, and the version below which history is gone."""

    commits: dict[int, list[dict]]
    checkpoints: dict[int, dict] = field(default_factory=dict)
    floor: int = 0
    floor_commit: bool = True

    @property
    def version(self) -> int:
        return max(self.commits)

    def clean_up(self, version: int) -> None:
        """Lets history begin at a checkpoint."""
        self.floor = version
        self.checkpoints = {number: form for number, form in self.checkpoints.items() if number >= version}

    def write(self, root: Path, to_version: int | None = None) -> LogBuilder:
        """Writes the log up to a version, history gone and all."""
        log = LogBuilder(root)
        for version in range(self.version + 1):
            if to_version is None or version <= to_version:
                log.commit(*self.commits[version])
                if version in self.checkpoints:
                    log.checkpoint(**self.checkpoints[version])
        log.drop(range(self.floor + (not self.floor_commit)))
        return log


@st.composite
def file_actions(draw: st.DrawFn) -> list[dict]:
    """Adds and removes of any keys, whether they are there or not; no key twice, but for removes."""
    chosen = draw(
        st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 9)), max_size=6, unique_by=lambda c: str(c[0]))
    )
    actions = []
    for (path, vector), kind in chosen:
        size, shared = draw(st.integers(0, 2**56)), draw(st.sampled_from(SHARED))
        fields = {"deletionVector": vector} if vector else {}
        if kind < 5:
            stats = draw(st.sampled_from(['{"numRecords":3}', "{}", None, ...]))
            actions.append(add(path, **({"size": size, "stats": stats, "dataChange": kind > 1} | fields | shared)))
        else:
            actions.append(
                remove(path, dataChange=kind > 6, **fields, **draw(st.sampled_from([{}, shared, {"x": size}])))
            )
            if kind == 9:
                actions.append(remove(path, deletionTimestamp=None, **fields))
    return actions


other_actions = st.lists(
    st.one_of(
        st.builds(metadata, st.sampled_from([{"id": "long"}, {"id": "long", "b": "string"}])),
        st.builds(protocol, st.just(3), st.just(7), **{k: st.just(v) for k, v in V2.items()}),
        st.builds(txn, st.sampled_from(["app", "äpp"]), st.integers(0, 9)),
        st.builds(domain, st.sampled_from(["d", "e"]), st.sampled_from(["{}", "1"]), removed=st.booleans()),
        st.builds(commit_info, st.sampled_from(["WRITE", "MERGE"]), inCommitTimestamp=st.integers(0, 9)),
        st.builds(cdc, st.sampled_from(["_change_data/a", "_change_data/b"])),
    ),
    max_size=3,
    unique_by=lambda action: str(next((name, body.get("appId"), body.get("domain")) for name, body in action.items())),
)


@st.composite
def random_logs(draw: st.DrawFn, *, cleaned: bool = True) -> RandomLog:
    commits = {0: [protocol(**V2), metadata(), *draw(file_actions())]}
    for version in range(1, draw(st.integers(1, 8))):
        commits[version] = draw(st.permutations(draw(file_actions()) + draw(other_actions)))
    versions = st.integers(0, len(commits) - 1)
    log = RandomLog(commits, draw(st.dictionaries(versions, st.sampled_from(FORMS), max_size=3)))
    if cleaned and log.checkpoints and draw(st.booleans()):
        log.clean_up(draw(st.sampled_from(sorted(log.checkpoints))))
        log.floor_commit = draw(st.booleans())
    return log


# ---- one database for all examples


@dataclass
class Place:
    """A database, and a fresh folder and table id for each example."""

    url: str
    database: Database
    folder: Path
    numbers: count = field(default_factory=count)

    def next(self) -> tuple[Path, str]:
        number = next(self.numbers)
        return self.folder / str(number), f"t{number}"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        url = sqlite_url(Path(folder))
        database = Database(url)
        yield Place(url, database, Path(folder))
        database.close()


def at(place: Place, table_id: str, version: int) -> dict[Any, tuple[int, Any]]:
    """What SQL says of a version, in the form of `plain_replay`."""
    with place.database.reading() as connection:
        state = snapshot(connection, registry.readable(connection, table_id), version)
        files = {("add", (f.path, f.deletion_vector_id)): (f.added_version, f) for f in state.files()}
        assert state.count()[:2] == (len(files), sum(f.size for _, f in files.values()))
        return files | _others(state)


def _others(state: Snapshot) -> dict[Any, tuple[int, Any]]:
    found: dict[Any, tuple[int, Any]] = {
        ("metaData", None): (state.metadata().version, state.metadata()),
        ("protocol", None): (state.protocol().version, state.protocol()),
    }
    found |= {("txn", row.app_id): (row.version, row) for row in state.transactions()}
    return found | {("domainMetadata", row.domain): (row.version, row) for row in state.domain_metadata()}


def check(place: Place, table_id: str, log: RandomLog) -> None:
    """Holds every version that SQL has against the plain replay."""
    for version in range(log.floor, log.version + 1):
        found = at(place, table_id, version)
        expected = {
            key: each for key, each in plain_replay(log.commits, version).items() if key[0] not in ("cdc", "commitInfo")
        }
        assert found.keys() == expected.keys(), version
        for key, (began, body) in expected.items():
            since, row = found[key]
            assert since == max(began, log.floor), (version, key)
            same_action(key[0], row, body)


def same_action(name: str, row: Any, body: dict) -> None:
    if name == "add":
        stats = body.get("stats")
        assert (row.size, row.stats, row.num_records) == (
            body["size"],
            stats,
            json.loads(stats or "{}").get("numRecords"),
        )
    elif name == "txn":
        assert row.txn_version == body["version"]
    elif name == "domainMetadata":
        assert row.configuration == body["configuration"]
    elif name == "metaData":
        assert row.schema_string == body["schemaString"]


# ---- the properties


@EXAMPLES
@given(log=random_logs())
def test_every_version_is_what_the_log_says(place: Place, log: RandomLog):
    root, table_id = place.next()
    log.write(root)
    report = import_table(place.database, str(root), table_id)
    assert (report.first_version, report.version) == (log.floor, log.version)
    check(place, table_id, log)


@EXAMPLES
@given(log=random_logs(), batch_size=st.integers(1, 9), seed=st.integers(0, 99))
def test_an_import_that_was_interrupted_again_and_again_equals_one_that_was_not(
    place: Place, log: RandomLog, batch_size: int, seed: int
):
    root, table_id = place.next()
    log.write(root)
    dice = random.Random(seed)

    def listener(_: object) -> None:
        if dice.random() < 0.4:
            raise KeyboardInterrupt

    for _ in range(100):
        try:
            import_table(place.database, str(root), table_id, batch_size=batch_size, resume=True, listener=listener)
            break
        except KeyboardInterrupt:
            batch_size = dice.randint(1, 9)
    import_table(place.database, str(root), f"{table_id} at once")
    assert_same(place, table_id, f"{table_id} at once")


@EXAMPLES
@given(log=random_logs(), batch_size=st.integers(1, 9), row=st.integers(0, 30))
def test_a_batch_that_the_database_refuses_halfway_leaves_nothing(
    place: Place, log: RandomLog, batch_size: int, row: int
):
    root, table_id = place.next()
    log.write(root)
    with place.database.transaction():
        pass  # makes the tables
    count = f"(SELECT count(*) FROM delta_files WHERE table_id = '{table_id}')"
    when = f"NEW.table_id = '{table_id}' AND {count} = {row}"
    execute(
        place.url, f"CREATE TRIGGER t BEFORE INSERT ON delta_files WHEN {when} BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    try:
        import_table(place.database, str(root), table_id, batch_size=batch_size)
    except CatalogError:
        (status,) = dump(place.url, table_id)["migration_status"]
        assert (status["status"], "no" in status["error_message"]) == ("failed", True)
        loaded = sum(len(rows) for name, rows in dump(place.url, table_id).items() if name != "migration_status")
        assert loaded == status["rows_loaded"]
    finally:
        execute(place.url, "DROP TRIGGER t")
    import_table(place.database, str(root), table_id, batch_size=batch_size, resume=True)
    import_table(place.database, str(root), f"{table_id} at once")
    assert_same(place, table_id, f"{table_id} at once")


def grow(grown: Path, whole: Path, to_version: int) -> None:
    """Copies what a log has up to a version, with the files' times."""
    shutil.copytree(whole, grown, dirs_exist_ok=True, copy_function=shutil.copy2, ignore=lambda _, names: [
        name for name in names if version_of(name) > to_version
    ])  # fmt: skip


def version_of(name: str) -> int:
    return int(name[:20]) if name[:20].isdigit() else -1


def warned_of(place: Place, table_id: str) -> tuple[list[str], int]:
    """The warnings in any order, and of how many removes that found nothing: an import has one line, syncs several."""
    with place.database.reading() as connection:
        warnings = json.loads(registry.readable(connection, table_id).warnings or "[]")
    others = sorted(each for each in warnings if not each.startswith("Removes found nothing"))
    removes = [each for each in warnings if each.startswith("Removes found nothing")]
    more = sum(int(each.rpartition(" and ")[2].split()[0]) for each in removes if each.endswith(" more"))
    return others, more + sum(each.count(" in version ") for each in removes)


@EXAMPLES
@given(log=random_logs(), data=st.data())
def test_an_import_of_a_prefix_and_syncs_equal_an_import_of_the_whole(
    place: Place, log: RandomLog, data: st.DataObject
):
    root, table_id = place.next()
    whole = log.write(root / "whole").log
    steps = data.draw(st.lists(st.integers(log.floor, log.version), max_size=3).map(sorted), label="steps")
    for step in [*steps, log.version]:
        grow(root / "grown" / "_delta_log", whole, step)
        report = import_table(place.database, str(root / "grown"), table_id, resume=True)
        assert (report.first_version, report.version) == (log.floor, step)
    import_table(place.database, str(root / "whole"), f"{table_id} at once")
    assert_same(place, table_id, f"{table_id} at once", without=WATERMARK | {"location", "warnings"})
    assert warned_of(place, table_id) == warned_of(place, f"{table_id} at once")


@EXAMPLES
@given(log=random_logs(cleaned=False), data=st.data())
def test_a_sync_does_not_mind_that_old_history_went_meanwhile(place: Place, log: RandomLog, data: st.DataObject):
    root, table_id = place.next()
    begun = data.draw(st.integers(0, log.version), label="imported up to")
    floor = data.draw(st.integers(0, min(begun + 1, log.version)), label="history begins with")
    log.checkpoints[floor] = {}
    whole, grown = log.write(root / "whole").log, root / "grown" / "_delta_log"
    grow(grown, whole, begun)
    import_table(place.database, str(root / "grown"), table_id)
    grow(grown, whole, log.version)
    for path in grown.glob("*.*"):
        if version_of(path.name) < floor:
            path.unlink()
    report = import_table(place.database, str(root / "grown"), table_id, resume=True)
    assert (report.first_version, report.version) == (0, log.version)
    import_table(place.database, str(root / "whole"), f"{table_id} at once")
    assert_same(place, table_id, f"{table_id} at once", without=WATERMARK | {"location", "warnings"})
    assert warned_of(place, table_id) == warned_of(place, f"{table_id} at once")


@EXAMPLES
@given(log=random_logs(cleaned=False), data=st.data())
def test_a_sync_behind_commits_that_are_gone_knows_what_was_before_and_what_came_after(
    place: Place, log: RandomLog, data: st.DataObject
):
    assume(log.version >= 2)
    root, table_id = place.next()
    whole, grown = root / "whole", root / "grown" / "_delta_log"
    begun = data.draw(st.integers(0, log.version - 2), label="imported up to")
    floors = sorted(data.draw(st.sets(st.integers(begun + 1, log.version), min_size=1, max_size=2), label="floors"))
    forms = [form | {"tombstones": kept} for form in FORMS for kept in (True, False)]
    log.checkpoints = {floor: data.draw(st.sampled_from(forms), label="form") for floor in floors}  # and no others
    written = log.write(whole).log
    grow(grown, written, begun)
    import_table(place.database, str(grown.parent), table_id)
    gaps, before = list[tuple[int, int]](), begun
    for floor in floors:
        if floor <= before:
            continue
        after = data.draw(st.integers(floor, log.version), label="then grows to")
        grow(grown, written, after)
        # Some of the commits may still be there; that of the checkpoint may be gone.
        lost = data.draw(st.integers(before + 1, floor), label="first that is gone")
        for version in range(lost, floor + data.draw(st.booleans(), label="its own, too")):
            (grown / f"{version:020d}.json").unlink()
        report = import_table(place.database, str(grown.parent), table_id, resume=True)
        assert (report.first_version, report.version) == (0, after)
        if lost <= floor and not (grown / f"{lost:020d}.json").exists():
            gaps.append((lost, floor - 1))
        before = after
    assert [(gap.first_version, gap.last_version) for gap in gaps_in(place, table_id)] == gaps
    check_around(place, table_id, log, before, gaps)


def gaps_in(place: Place, table_id: str) -> tuple[Gap, ...]:
    with place.database.reading() as connection:
        return gaps_of(registry.readable(connection, table_id))


def check_around(place: Place, table_id: str, log: RandomLog, newest: int, gaps: list[tuple[int, int]]) -> None:
    """Holds every version that either side could rebuild against the plain replay; the others must be refused."""
    floors = [(first, last + 1) for first, last in gaps]
    for version in range(newest + 1):
        if any(first <= version <= last for first, last in gaps):
            with pytest.raises(VersionNotFoundError, match="cleaned up in the log before"):
                at(place, table_id, version)
            continue
        expected = {
            key: each for key, each in plain_replay(log.commits, version).items() if key[0] not in ("cdc", "commitInfo")
        }
        found = at(place, table_id, version)
        assert found.keys() == expected.keys(), version
        for key, (began, body) in expected.items():
            since, row = found[key]
            assert since in {began, *(floor for first, floor in floors if first <= began <= floor)} or (
                # A checkpoint says all other state anew; a file that was added anew may look as it did before.
                since in {floor for _, floor in floors if began < floor}
                if key[0] != "add"
                else any(since < first <= began <= floor for first, floor in floors)
                # What one checkpoint could not hold, in Parquet, the next one may say: then the file begins anew.
                or ("new" in body and since in {floor for _, floor in floors if began < floor})
            ), (version, key)
            if key[0] == "add" and body.get("stats") is None and since < began:
                body = {**body, "stats": row.stats}  # it goes on, with what its commit said
            same_action(key[0], row, body)
            if key[0] == "add":
                assert (json.loads(row.tags or "null"), json.loads(row.partition_values)) == (
                    body.get("tags"),
                    body["partitionValues"],
                )


@EXAMPLES
@given(log=random_logs())
def test_every_action_can_be_had_from_sql(place: Place, log: RandomLog):
    root, table_id = place.next()
    log.write(root)
    import_table(place.database, str(root), table_id)
    with place.database.reading() as connection:
        rebuilt = rebuild(snapshot(connection, registry.readable(connection, table_id)))
    for version in range(log.floor, log.version + 1):
        is_there = version > log.floor or version not in log.checkpoints or log.floor_commit
        written = Counter(map(plain, log.commits[version] if is_there else ()))
        assert Counter(map(plain, rebuilt.get(version, ()))) == written, version


def test_what_a_checkpoint_repeats_of_its_own_commit_is_there_once(place: Place):
    root, table_id = place.next()
    log = LogBuilder(root)
    log.commit(protocol(), metadata(), add("a"), txn("old", 1), domain("old", "1"))
    everything = [metadata(), protocol(**V2), txn("app", 1), domain("d", "1"), domain("gone", removed=True)]
    log.commit(*everything, add("b"), add("c", deletionVector=dv()), remove("a"), remove("never"))
    log.checkpoint()
    log.drop([0])
    import_table(place.database, str(root), table_id)
    found = {name: len(rows) for name, rows in dump(place.url, table_id).items()}
    assert found == {
        "migration_status": 1, "delta_tables": 1, "delta_files": 4, "delta_commits": 1, "delta_metadata": 1,
        "delta_protocols": 1, "delta_transactions": 2, "delta_domain_metadata": 3, "delta_cdc_files": 0,
    }  # fmt: skip


def test_removes_wait_on_disk_where_there_are_too_many(place: Place, monkeypatch: pytest.MonkeyPatch):
    root, table_id = place.next()
    log = LogBuilder(root)
    log.commit(protocol(), metadata(), *(add(str(n)) for n in range(200)))
    log.commit(*(remove(str(n), x="y" * n) for n in range(0, 300, 2)))
    log.commit(*(remove(str(n)) for n in range(50)), *(add(str(n), size=7) for n in range(100, 140)))
    import_table(place.database, str(root), table_id)
    monkeypatch.setattr(ends, "KEPT", 20)
    monkeypatch.setattr(ends, "SPOOL_BYTES", 1)
    import_table(place.database, str(root), f"{table_id} on disk")
    assert_same(place, table_id, f"{table_id} on disk")
    check(place, table_id, RandomLog(log.commits))


def assert_same(place: Place, one: str, other: str, without: set[str] = frozenset()) -> None:
    """Every row of every SQL table is the same for both tables."""
    left, right = (dump(place.url, table_id, without=MOMENTS | without) for table_id in (one, other))
    for name in left:
        assert left[name] == right[name], name
