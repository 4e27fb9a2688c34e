import subprocess
import sys

import deltalakedb
from deltalakedb import errors


def test_all_names_are_there_and_nothing_else_is_shown():
    assert dir(deltalakedb) == sorted(deltalakedb.__all__)
    for name in deltalakedb.__all__:
        assert getattr(deltalakedb, name).__name__ == name


def test_every_error_is_public_and_in_one_tree():
    tree = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert tree <= set(deltalakedb.__all__)
    assert all(issubclass(getattr(errors, name), deltalakedb.DeltaLakeDBError) for name in tree)


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, deltalakedb; print([m for m in ('sqlalchemy', 'pyarrow', 'deltalake') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
