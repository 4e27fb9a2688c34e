import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import quote

import pytest

from deltalakedb.catalog.database import Database
from deltalakedb.migrate.importer import import_table
from tests.support.catalogs import execute
from tests.support.logs import LogBuilder, metadata, protocol
from tests.support.troubled_lake import EVIL, pretend_running
from tests.web.serving import Elements, Server, served


def test_the_lake_shows_totals_problems_and_what_runs(server: Server):
    lake_now = server.get("/api/lake").document
    assert lake_now["tables"] == {"completed": 4, "running": 1, "failed": 1, "interrupted": 1}
    assert [(one["kind"], one["table_id"]) for one in lake_now["problems"]] == [
        ("failed", "broken"),
        ("interrupted", "lost"),
        ("behind", "behind"),
        ("drift", "drifted"),
    ]
    (running,) = lake_now["running"]
    assert (running["table_id"], running["share"]) == ("running", 0.25)
    assert running["doing"] == "import"
    assert running["seconds_left"] == pytest.approx(45 * 60, rel=0.05)
    assert running["files_per_second"] == pytest.approx(100_000 / 900, rel=0.05)
    assert lake_now["files_per_second"] == running["files_per_second"]
    assert lake_now["problems_by_kind"] == {"failed": 1, "interrupted": 1, "behind": 1, "drift": 1}
    page = Elements(server.get("/").text)
    assert page.all("progress") == [{"max": "1", "value": "0.2500", "aria-label": "import of running"}]
    for words in ("No checkpoint or JSON files found", "at version 2, its log at 9", "25%", "45 min", "111 files/s"):
        assert words in page.text


def test_nothing_is_green_that_is_not_well(server: Server):
    well = {
        one["table_id"] for one in server.get("/api/lake").document["page_of_tables"] if one["status"] == "completed"
    }
    well -= {"behind", "drifted"}
    assert server.get("/").text.count('class="badge good">completed') == len(well) == 2
    for table_id in ("behind", "drifted", "broken", "lost"):
        page = server.get(f"/table?id={table_id}")
        head = page.text.split("<h1>")[1].split("</h1>")[0]
        assert "badge good" not in head
        problems = server.get(f"/api/table?id={table_id}").document["problems"]
        assert problems
        assert all(one["message"] in page.text.replace("&#39;", "'") for one in problems)


def test_progress_moves_while_an_import_goes_on(server: Server, troubled: str):
    pretend_running(troubled, "running", 0.75)
    assert server.get("/api/lake").document["running"][0]["share"] == 0.75
    pretend_running(troubled, "running", 0.25)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=failed", ["broken"]),
        ("status=interrupted", ["lost"]),
        ("status=running", ["running"]),
        ("search=ORD", ["sales/orders"]),
        ("search=%25", []),
        ("search=DRI&status=completed", ["drifted"]),
        ("status=behind", ["behind"]),
        ("status=different", ["drifted"]),
        ("status=nonsense&page=x&search=lost&sort=nonsense", ["lost"]),
        ("search=%00lost", ["lost"]),
        ("search=/EVIL", [EVIL]),
        ("page=7", []),
        ("page=99999999999999999999", None),
    ],
)
def test_tables_are_found_by_name_and_status(server: Server, query: str, found: list[str] | None):
    tables = server.get(f"/api/lake?{query}").document["page_of_tables"]
    assert found is None or sorted(one["table_id"] for one in tables) == sorted(found)
    assert server.get(f"/?{query}").status == 200


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("problems", ["broken", "lost", "drifted", "behind", "running"]),
        ("name", [EVIL, "behind", "broken"]),
        ("version", ["sales/orders"]),
        ("behind", ["behind"]),
        ("files", ["sales/orders"]),
        ("size", [EVIL]),
    ],
)
def test_tables_are_sorted_with_problems_first_unless_asked_otherwise(server: Server, sort: str, first: list[str]):
    found = [one["table_id"] for one in server.get(f"/api/lake?sort={sort}").document["page_of_tables"]]
    assert found[: len(first)] == first
    if sort == "problems":
        assert [one["table_id"] for one in server.get("/api/lake").document["page_of_tables"]] == found
    else:
        assert 'aria-sort="' in server.get(f"/?sort={sort}").text


def test_long_lists_come_in_pages(database_url: str, tmp_path: Path):
    database = Database(database_url)
    LogBuilder(tmp_path / "t").commit(protocol(), metadata())
    import_table(database, str(tmp_path / "t"), "t000")
    columns = "location, status, files_processed, commits_processed, rows_loaded, started_at"
    execute(
        database_url,
        *(
            f"INSERT INTO migration_status (table_id, {columns}) SELECT 't{n:03}', {columns} "
            "FROM migration_status WHERE table_id = 't000'"
            for n in range(1, 60)
        ),
    )
    database.close()
    with served(database_url) as running:
        first, second = (Elements(running.get(f"/?page={n}").text) for n in (0, 1))
        documents = [running.get(f"/api/lake?page={n}").document for n in (0, 1)]
    names = [one["table_id"] for document in documents for one in document["page_of_tables"]]
    assert names == [f"t{n:03}" for n in range(60)]
    assert [one.get("rel") for one in first.all("a") if "rel" in one] == ["next"]
    assert [one.get("rel") for one in second.all("a") if "rel" in one] == ["prev"]


def test_a_table_shows_what_it_is_made_of(server: Server, troubled: str):
    document = server.get("/api/table?id=sales/orders").document
    state = document["state"]
    database = Database(troubled)
    with database.reading() as connection:
        from sqlalchemy import text

        asked = "SELECT files, bytes, small_files FROM lake_tables WHERE table_id = 'sales/orders'"
        expected = tuple(connection.execute(text(asked)).one())
    database.close()
    assert (state["files"], state["bytes"], state["small_files"]) == expected
    assert sum(one["files"] for one in state["sizes"]) == state["files"]
    assert sum(one["files"] for one in state["partitions"]) == state["files"]
    newest = {"version": 11, "timestamp": state["commits"][0]["timestamp"]}
    assert state["growth"][-1] == {**newest, "files": state["files"], "bytes": state["bytes"]}
    assert [one["version"] for one in state["commits"]] == list(range(11, -1, -1))
    (change,) = state["schema_changes"]
    assert (change["version"], change["added"]) == (7, [{"name": "note", "type": "string"}])
    page = Elements(server.get("/table?id=sales/orders").text)
    for words in ("Largest partitions", "day = 2024-02-28", "There was none since the import.", "delta-rs"):
        assert words in page.text
    assert [one["command"] for one in document["events"]] == ["import"]


def test_a_validation_shows_its_differences(server: Server):
    page = Elements(server.get("/table?id=drifted").text)
    assert "Different from its log at\nversion 2" in page.text
    assert "differences:" in page.text
    assert server.get("/api/table?id=drifted").document["validation"]["valid"] is False


def test_a_table_that_cannot_be_read_says_why(server: Server):
    answer = server.get("/table?id=broken")
    assert answer.status == 200
    assert "No checkpoint or JSON files found" in answer.text
    assert server.get("/api/table?id=broken").document["state"] is None


@pytest.mark.parametrize("table_id", ["sales/orders", EVIL])
def test_charts_are_svg_without_scripts_styles_or_anything_from_outside(server: Server, table_id: str):
    text = server.get(f"/table?id={quote(table_id)}").text
    charts = [ElementTree.fromstring(one) for one in re.findall(r"<svg xmlns.*?</svg>", text, re.DOTALL)]
    assert len(charts) == 3
    for chart in charts:
        assert chart.get("role") == "img"
        assert chart.get("aria-label")
        for one in chart.iter():
            assert one.tag.rpartition("}")[2] in ("svg", "g", "rect", "path", "text", "title")
            assert not {"style", "href", "src"} & set(one.keys())
