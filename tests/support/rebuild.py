"""The actions of an export, as the log had them: what tests hold against the log itself."""

import json
from typing import Any

from deltalakedb.catalog.history import commit_rows
from deltalakedb.catalog.snapshot import Snapshot
from deltalakedb.migrate.export_actions import actions_of, floor_actions_of, to_line

Action = dict[str, Any]


def rebuild(snapshot: Snapshot) -> dict[int, list[Action]]:
    """The actions of each version up to the snapshot's, from SQL alone; of the commits, not of checkpoints."""
    first = min((commit.version for commit in snapshot.commits()), default=snapshot.version + 1)
    return {
        rows.commit.version: [
            json.loads(to_line(action))
            for action in (actions_of(rows) if rows.commit.own_actions is None else floor_actions_of(rows))
        ]
        for rows in commit_rows(snapshot.connection, snapshot.entry, first, snapshot.version)
    }


def plain(action: Action) -> str:
    """An action as text that is equal for equal meanings: null fields are absent, 500.0 is 500, order is nothing."""
    ((name, body),) = action.items()
    if name in ("add", "remove", "cdc", "metaData", "protocol", "txn", "domainMetadata") and isinstance(body, dict):
        body = {key: value for key, value in body.items() if value is not None}
    return json.dumps({name: _whole(body)}, sort_keys=True)


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
