"""Pictures for docs/monitoring.md: `make screenshots`."""

import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from tests.support import databases
from tests.support.troubled_lake import RICH, pretend_running, troubled_lake
from tests.web.browsing import chromium
from tests.web.serving import served

FOLDER = Path(__file__).parents[2] / "docs" / "monitoring"
PICTURES = {"lake.png": ("/", 1180), "table.png": (f"/table?id={quote(RICH)}", 1100)}

_PLACE = "document.querySelectorAll('.location').forEach(one => { one.textContent = '/lake/sales/orders'; })"
"""The folder of the lake is another one each time."""


def take(folder: Path) -> list[Path]:
    """Takes all pictures of a lake made for them; returns the files."""
    taken = []
    with tempfile.TemporaryDirectory() as work:
        url = databases.sqlite_url(Path(work))
        troubled_lake(url, Path(work) / "lake")
        pretend_running(url, "iot/stock_057", 0.63)
        pretend_running(url, "web/orders_002", 0.08)
        with served(url) as server, chromium() as browser:
            for name, (path, height) in PICTURES.items():
                page = browser.new_page(viewport={"width": 1240, "height": height}, color_scheme="light")
                page.goto(f"http://127.0.0.1:{server.port}{path}")
                page.evaluate(_PLACE)
                page.screenshot(path=folder / name)
                taken.append(folder / name)
                page.close()
    return taken


if __name__ == "__main__":
    for picture in take(FOLDER):
        sys.stderr.write(f"{picture.name}: {picture.stat().st_size >> 10} KiB\n")
