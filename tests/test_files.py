"""A file is whole, or as it was."""

import pytest

from cxjobs.files import replace


def test_an_older_file_stays_where_the_new_one_cannot_be_written(tmp_path):
    path = tmp_path / "a.csv"
    replace(path, b"one\r\n")
    replace(path, b"two\r\n")
    assert path.read_bytes() == b"two\r\n"
    taken = tmp_path / "folder"
    (taken / "in").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        replace(taken, b"three")
    with pytest.raises(OSError, match="nowhere"):
        replace(tmp_path / "nowhere" / "a.csv", b"three")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.csv", "folder"]
