"""The pages say what the program does: their blocks are run, and their words held against what it prints."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.lake import orders_table

ROOT = Path(__file__).parents[2]


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


build = _load()


def words(text: str) -> list[str]:
    """The words of an output, without what differs from run to run: numbers, units, names of data files, bars."""
    text = re.sub(r"\bpart-\S+", "0", text)
    text = re.sub(r"\b\d[\d.,:]*\s*(ms|s|min|KiB|MiB|B|\u00d7)?(?![A-Za-z])", "0", text)
    return sorted(set(re.findall(r"[A-Za-z_]{3,}", text)) - {"min", "KiB", "MiB"})


@pytest.mark.parametrize("name", build.PAGES)
def test_every_block_of_a_page_runs_and_prints_what_stands_there(name, tmp_path):
    page = (ROOT / "docs" / name).read_text()
    for block, shown, output in build.run_page(page, tmp_path):
        if shown is not None:
            assert words(output) == words(shown.text), f"{block.text}\nRun `make docs`, and look at the change."


def test_the_commands_of_the_page_about_stores_run_against_a_server_of_each(
    s3_server, azure_server, google_server, tmp_path, monkeypatch
):
    orders_table(tmp_path / "source")
    buckets = [server.bucket("lake") for server in (s3_server, azure_server, google_server)]
    for bucket in buckets:
        bucket.upload(tmp_path / "source", "sales/orders")
    s3, azure, google = (bucket.options for bucket in buckets)
    (tmp_path / "account.json").write_text(google["google_service_account_key"])
    given = {name: value for options in (s3, azure) for name, value in options.items() if name != "allow_http"}
    given |= {f"{cloud}_allow_http": "true" for cloud in ("aws", "azure", "google")}
    for name, value in {**given, "google_service_account": str(tmp_path / "account.json")}.items():
        monkeypatch.setenv(name.upper(), value)
    (tmp_path / "page" / "lake").mkdir(parents=True)
    orders_table(tmp_path / "page" / "lake" / "orders")
    ran = 0
    for block, shown, output in build.run_page((ROOT / "docs" / "stores.md").read_text(), tmp_path / "page"):
        ran += 1
        if shown is not None:
            assert words(output) == words(shown.text), f"{block.text}\n{output}"
    assert ran >= 5


def test_the_sql_cookbook_gives_the_same_on_every_database(tmp_path, database_url):
    page = (ROOT / "docs" / "sql.md").read_text()
    asked = 0
    for block, shown, output in build.run_page(page, tmp_path, database_url):
        if block.language == "sql" and shown is not None:
            asked += 1
            assert names(output) == names(shown.text), block.text
            assert len(output.splitlines()) == len(shown.text.splitlines()), block.text
    assert asked > 8


def names(output: str) -> list[str]:
    """The columns' names."""
    return [part for line in output.splitlines() for part in line.split() if re.fullmatch(r"[a-z]+(_[a-z]+)+", part)]


def test_the_cookbook_asks_every_view():
    from deltalakedb.catalog.views import VIEWS

    queries = " ".join(
        block.text for block in build.blocks((ROOT / "docs" / "sql.md").read_text()) if block.language == "sql"
    )
    assert [view for view in VIEWS if not re.search(rf"\bFROM {view}\b", queries)] == []


def test_the_line_that_an_application_changes_is_all_that_it_changes(tmp_path):
    readme = (ROOT / "README.md").read_text()
    section = readme.split("## Change one line", 1)[1].split("\n## ", 1)[0]
    before, after = (block.text for block in build.blocks(section) if block.language == "python")
    changed = [line for line in after.splitlines() if line not in before.splitlines()]
    assert len(changed) <= 2  # the import, and where the table is
    write = "import pyarrow as pa\nfrom deltalake import write_deltalake\n"
    write += "rows = pa.table({'day': ['2024-03-01', '2024-03-02'], 'amount': [1.0, 2.0]})\n"
    write += "write_deltalake('lake/orders', rows, partition_by=['day'])"
    outputs = [
        output
        for _, _, output in build.run_page(
            f"```python\n{write}\n```\n```python\n{before}```\n"
            f"```bash\ndeltalakedb import lake/orders\nmv lake/orders/_delta_log gone\n```\n```python\n{after}```\n",
            tmp_path,
        )
    ]
    assert outputs[1] == outputs[3] != "\n"


def test_the_command_reference_is_that_of_the_commands():
    assert (ROOT / "docs" / "cli.md").read_text() == build.command_reference(), "Run `make docs`."


def test_links_between_pages_lead_somewhere():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]
    assert links
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_quick_start_holds_the_two_commands_and_nothing_else():
    readme = (ROOT / "README.md").read_text()
    section = readme.split("## Quick start", 1)[1].split("\n## ", 1)[0]
    assert [block.text for block in build.blocks(section)] == ["make demo\n", "make test\n"]


def test_every_test_that_a_page_names_is_there():
    page = (ROOT / "docs" / "protocol-support.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^\s*def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 20
    assert named - there == set()
