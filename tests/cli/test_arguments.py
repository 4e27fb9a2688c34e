import pytest

from deltalakedb.cli.arguments import Arguments


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import x", "text"),
        ("import x --output json", "json"),
        ("import x --output=json", "json"),
        ("import x --output json --output text", "text"),
        ("import x --output", "text"),
        ("files -- --output json", "text"),
    ],
)
def test_output_is_known_before_click_parses(line: str, expected: str):
    assert Arguments(tuple(line.split())).output == expected


@pytest.mark.parametrize(("line", "expected"), [("import x -v", True), ("import x", False), ("files -- -v", False)])
def test_verbose_is_known_before_click_parses(line: str, expected: bool):
    assert Arguments(tuple(line.split())).verbose is expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["import", "/a b", "--table-id", "x"], "deltalakedb import '/a b' --table-id x --resume"),
        (["import", "x", "--resume"], "deltalakedb import x --resume"),
        (["import", "--", "-x"], "deltalakedb import --resume -- -x"),
        (["copy-catalog", "sqlite:///a b", "mysql://h/d"], "deltalakedb copy-catalog 'sqlite:///a b' mysql://h/d"),
    ],
)
def test_the_line_that_goes_on(words: list[str], expected: str):
    assert Arguments(tuple(words)).resuming() == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import x", True),
        ("batch-import x", True),
        ("copy-catalog x y", True),
        ("import x --dry-run", False),
        ("validate x", False),
        ("", False),
    ],
)
def test_only_imports_and_copies_go_on(line: str, expected: bool):
    assert Arguments(tuple(line.split())).can_resume is expected
