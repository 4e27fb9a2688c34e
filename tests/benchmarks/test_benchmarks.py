"""The benchmarks run and write down what they found; how fast anything is, is not a test's business."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.cases import CASES, chosen
from benchmarks.logs import Shape, append_commit, link_log, make_checkpointed_log, make_log

ROOT = Path(__file__).parents[2]


def bench(folder: Path, *arguments: str) -> str:
    """Runs the benchmarks at their smallest, and returns the page that they write."""
    size = ["--quick", "--files", "300", "--logs", str(folder / "logs"), "--results", str(folder / "docs")]
    command = [sys.executable, "-m", "benchmarks", *size, *arguments]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return (folder / "docs" / "benchmarks.md").read_text()


@pytest.fixture
def _server(monkeypatch, postgresql_url):
    monkeypatch.setenv("DELTALAKEDB_TEST_POSTGRES_URL", postgresql_url)


@pytest.mark.usefixtures("_server")
def test_a_run_writes_a_page_and_pictures_and_a_later_one_changes_its_own_rows_only(tmp_path):
    page = bench(tmp_path, "--only", "growth", "open")
    for name in ("growth", "comparison"):
        picture = tmp_path / "docs" / f"benchmarks-{name}.svg"
        assert ElementTree.parse(picture).getroot().tag.endswith("svg")
        assert f"]({picture.name})" in page
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows] == [
        "| work",
        "| time per add, start-up taken off",
        "| open, `version()`, `schema()`",
    ]

    before = json.loads((tmp_path / "docs" / "benchmarks.json").read_text())
    later = bench(tmp_path, "--only", "files-partition")
    after = json.loads((tmp_path / "docs" / "benchmarks.json").read_text())
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"files-partition"}
    assert set(rows) < set(later.splitlines())
    assert str(tmp_path) not in later


def test_a_case_is_chosen_by_its_name_or_how_it_begins():
    assert [case.name for case in chosen(["memory", "files-stats"])] == [
        "memory",
        "memory-one-commit",
        "files-stats-index",
        "files-stats",
    ]
    assert chosen([]) == list(CASES)
    with pytest.raises(ValueError, match="'fles'"):
        chosen(["fles"])


def test_a_copy_of_a_log_grows_and_the_log_that_is_kept_does_not(tmp_path):
    location = make_log(tmp_path, Shape(20, 4))
    before = {path.name: path.read_bytes() for path in (location / "_delta_log").iterdir()}
    copy = link_log(location, tmp_path / "copy")
    assert append_commit(copy) == 4
    assert {path.name: path.read_bytes() for path in (location / "_delta_log").iterdir()} == before
    assert len(list((copy / "_delta_log").iterdir())) == 5


def test_a_checkpointed_log_has_the_files_of_the_log_and_no_commits_before_the_checkpoint(tmp_path):
    from deltalake import DeltaTable

    shape = Shape(100, 10)
    plain, cleaned = make_log(tmp_path, shape), make_checkpointed_log(tmp_path, shape)
    assert [path.stem for path in (cleaned / "_delta_log").glob("*.json")] == [f"{9:020d}"]
    assert len(list((plain / "_delta_log").glob("*.json"))) == 10
    shown = [uri.partition(f"{plain}/")[2] for uri in DeltaTable(plain).file_uris()]
    assert [uri.partition(f"{cleaned}/")[2] for uri in DeltaTable(cleaned).file_uris()] == shown
