import random

import pytest

from deltalakedb.errors import LogGapError, NotADeltaTableError, VersionNotFoundError
from deltalakedb.log.path import commit_name, parse_name
from deltalakedb.log.segment import LogSegment, candidates

UNIQUE = "80a083e8-7026-4e79-81be-64bd76c43a1"


def c(*versions: int) -> list[str]:
    """The names of commits."""
    return [commit_name(version) for version in versions]


def cp(version: int, *parts: int, of: int = 0, unique: int | None = None) -> list[str]:
    """The names of a checkpoint: a single one, or the given parts of one of `of` parts."""
    if of:
        return [f"{version:020d}.checkpoint.{part:010d}.{of:010d}.parquet" for part in parts]
    return [f"{version:020d}.checkpoint.{'' if unique is None else f'{UNIQUE}{unique}.'}parquet"]


def segments(*names: str, to_version: int | None = None) -> list[LogSegment]:
    """All that the listing allows, best first, up to the error at their end."""
    found, files = [], [parse_name(name) for name in names]
    try:
        for segment in candidates([file for file in files if file], to_version):
            found += [segment]
    except LogGapError:
        if not found:
            raise
    return found


def shape(segment: LogSegment) -> tuple[int, int, str | None, list[int]]:
    """(floor, newest version, name of the checkpoint, versions of the commits)."""
    checkpoint = segment.checkpoint.name if segment.checkpoint else None
    return segment.first_version, segment.version, checkpoint, [commit.version for commit in segment.commits]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (c(0), (0, 0, None, [0])),
        (c(0, 1, 2), (0, 2, None, [0, 1, 2])),
        # a checkpoint is a shortcut as long as every commit is there
        (c(0, 1, 2) + cp(1), (0, 2, None, [0, 1, 2])),
        (c(0) + cp(0), (0, 0, None, [0])),
        # history that begins at a checkpoint, with and without its own commit
        (c(3, 4) + cp(3), (3, 4, cp(3)[0], [3, 4])),
        (c(4, 5) + cp(3), (3, 5, cp(3)[0], [4, 5])),
        (cp(7), (7, 7, cp(7)[0], [])),
        # the oldest checkpoint with every later commit gives the longest history
        (c(3, 4, 5, 6) + cp(3) + cp(5), (3, 6, cp(3)[0], [3, 4, 5, 6])),
        (c(5, 6) + cp(2) + cp(4) + cp(6), (4, 6, cp(4)[0], [5, 6])),
        # a gap before a checkpoint: what is older is gone
        (c(0, 1, 3, 4) + cp(3), (3, 4, cp(3)[0], [3, 4])),
        (c(0, 1, 4) + cp(1) + cp(3), (3, 4, cp(3)[0], [4])),
        # a checkpoint newer than every commit
        (c(0, 1, 2) + cp(3), (3, 3, cp(3)[0], [])),
        (c(0, 1, 2) + cp(9), (9, 9, cp(9)[0], [])),
        # parts
        (c(3) + cp(2, 1, 2, of=2), (2, 3, cp(2, 1, of=2)[0], [3])),
        (c(3) + cp(2, 1, of=1), (2, 3, cp(2, 1, of=1)[0], [3])),
        # an incomplete checkpoint does not count, not even as the newest version
        (c(0, 1) + cp(1, 1, of=2), (0, 1, None, [0, 1])),
        (c(0, 1) + cp(5, 1, of=2), (0, 1, None, [0, 1])),
        (c(3, 4) + cp(2, 2, of=2) + cp(3), (3, 4, cp(3)[0], [3, 4])),
        # parts of two checkpoints do not make one
        (c(3, 4) + cp(2, 1, of=2) + cp(2, 2, of=3) + cp(4), (4, 4, cp(4)[0], [4])),
        # foreign files, compacted ones and checksums are no versions
        ([*c(0, 1), f"{2:020d}.crc", f"{2:020d}.{5:020d}.compacted.json", "x.json"], (0, 1, None, [0, 1])),
        (c(2**63 - 1) + cp(2**63 - 2), (2**63 - 2, 2**63 - 1, cp(2**63 - 2)[0], [2**63 - 1])),
    ],
)
def test_the_floor_is_the_oldest_version_that_can_be_rebuilt(names: list[str], expected: tuple):
    random.Random(7).shuffle(names)
    assert shape(segments(*names)[0]) == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (c(1, 2), f"Version 0 is missing \\({commit_name(0)}\\)"),
        (c(5, 6), "Versions 0 to 4 are missing"),
        (c(0, 2), f"Version 1 is missing \\({commit_name(1)}\\)"),
        (c(0, 1, 2, 4) + cp(2), f"Version 3 is missing \\({commit_name(3)}\\)"),
        (c(0, 1, 5) + cp(4, 1, of=2), f"Version 4 is missing \\({commit_name(4)}\\)"),
        (c(5) + cp(3), "Version 4 is missing"),
        (c(3) + cp(2, 1, of=2) + cp(2, 2, of=3), "Versions 0 to 2 are missing"),
    ],
)
def test_a_gap_that_no_checkpoint_makes_up_for_is_refused(names: list[str], message: str):
    with pytest.raises(LogGapError, match=message) as raised:
        segments(*names)
    assert raised.value.hint


@pytest.mark.parametrize("names", [[], [f"{0:020d}.crc"], cp(2, 1, of=2), ["_last_checkpoint"]])
def test_without_commit_and_checkpoint_there_is_no_table(names: list[str]):
    with pytest.raises(NotADeltaTableError, match="No checkpoint or JSON files found"):
        segments(*names)


def test_every_checkpoint_of_a_version_is_a_candidate():
    names = cp(2) + cp(2, unique=1) + cp(2, unique=2) + cp(2, 1, 2, 3, of=3) + cp(2, 1, 2, of=2) + c(3)
    found = segments(*names)
    assert {shape(segment)[0] for segment in found} == {2}
    assert sorted(len(segment.checkpoint.files) for segment in found) == [1, 1, 1, 2, 3]
    for segment in found:
        assert [file.part for file in segment.checkpoint.files] in ([None], [1, 2], [1, 2, 3])


def test_newer_checkpoints_stand_in_for_one_that_turns_out_to_be_broken():
    names = c(*range(3, 9)) + cp(3) + cp(5) + cp(8)
    assert [shape(segment)[0] for segment in segments(*names)] == [3, 5, 8]


def test_when_every_candidate_is_broken_the_gap_is_named():
    tried = candidates([parse_name(name) for name in c(3, 4) + cp(3)])
    assert next(tried).first_version == 3
    with pytest.raises(LogGapError, match="Versions 0 to 2 are missing"):
        next(tried)


def test_an_older_version_is_planned_as_if_newer_files_were_not_there():
    names = c(0, 1, 2, 3, 5) + cp(2) + cp(5)
    assert shape(segments(*names, to_version=3)[0]) == (0, 3, None, [0, 1, 2, 3])
    assert shape(segments(*names)[0]) == (5, 5, cp(5)[0], [5])
    with pytest.raises(NotADeltaTableError):
        segments(*c(4), *cp(4), to_version=3)


def test_a_segment_knows_its_versions_its_bytes_and_its_checksums():
    names = [*cp(4), *c(4, 5, 6), *(f"{version:020d}.crc" for version in (3, 4, 6))]
    files = [parse_name(name, size=10) for name in names]
    segment = next(candidates(files))
    assert segment.size == 40
    assert [file.version for file in segment.checksums] == [4, 6]
    segment.check(4)
    segment.check(6)
    with pytest.raises(VersionNotFoundError, match="Version 3 is below the floor: the log begins with version 4"):
        segment.check(3)
    with pytest.raises(VersionNotFoundError, match="Version 7 does not exist: the newest is 6"):
        segment.check(7)
