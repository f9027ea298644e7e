"""The labelled table: every rule is checked, every break is told with row and column."""

import pytest
from conftest import ROOT, labelled

from cxjobs import dataset
from cxjobs.errors import DataError


def breaks(frame):
    return [(p.row, p.column) for p in dataset.check(frame)]


def test_a_sound_table_has_no_problem(table):
    assert dataset.check(table) == []


def test_the_shipped_table_has_no_problem():
    assert dataset.check(dataset.read(ROOT / "data" / "labeled_jobs.csv")) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("role", "cx_manager"),
        ("label", "cx_management"),
        ("understand", "2"),
        ("whole", "yes"),
        ("confidence", ""),
        ("basis", "both"),
        ("coders", "4"),
        ("id", "XYZ"),
        ("year", "20255"),
        ("group", ""),
        ("source", " "),
        ("title", " - "),
        ("description", "too short"),
    ],
)
def test_a_broken_value_is_told_by_row_and_column(table, column, value):
    table.loc[1, column] = value
    assert (3, column) in breaks(table)


def test_all_problems_are_listed_not_only_the_first(table):
    table.loc[1, "role"] = "x"
    table.loc[7, "basis"] = "x"
    table.loc[9, "coders"] = "x"
    assert {(3, "role"), (9, "basis"), (11, "coders")} <= set(breaks(table))


def test_missing_and_unknown_columns(table):
    assert breaks(table.drop(columns=["label", "year"])) == [(1, ""), (1, "")]
    assert breaks(table.assign(salary="")) == [(1, "salary")]


def test_title_rows_hold_no_description_and_no_elements(table):
    table.loc[5, "description"] = "a description " * 10
    table.loc[11, "design"] = "1"
    assert breaks(table) == [(7, "description"), (13, "understand")]


def test_cx_management_needs_whole_and_two_central_elements(table):
    table.loc[0, "whole"] = "0"
    table.loc[10, ["understand", "design"]] = "0"
    table.loc[20, "design"] = "0"
    assert breaks(table) == [(2, "role"), (12, "role")]


def test_ids_are_unique_and_sorted(table):
    table.loc[4, "id"] = table.loc[3, "id"]
    assert (6, "id") in breaks(table)
    assert (4, "id") in breaks(labelled().iloc[[0, 2, 1, 3]].reset_index(drop=True))


def test_near_duplicates_must_share_a_group(table):
    table.loc[8, "description"] = table.loc[3, "description"] + " once more"
    assert breaks(table) == [(10, "group")]
    table.loc[8, "group"] = table.loc[3, "group"]
    assert breaks(table) == []


def test_a_title_is_coded_alone_only_once(table):
    table.loc[11, "title"] = table.loc[5, "title"].upper()
    assert breaks(table) == [(13, "title")]


def test_load_refuses_and_says_how_to_see_all(table, tmp_path):
    path = tmp_path / "t.csv"
    table.assign(role="nonsense").to_csv(path, index=False)
    with pytest.raises(
        DataError, match=r"broken rules[\s\S]*row 2, column role[\s\S]*cxjobs check"
    ):
        dataset.load(path)


def test_load_gives_elements_as_numbers(table, tmp_path):
    table.to_csv(tmp_path / "t.csv", index=False)
    loaded = dataset.load(tmp_path / "t.csv")
    assert loaded["whole"].dtype == float
    assert loaded["whole"].isna().equals(loaded["basis"] == "title")
    assert loaded["year"].iloc[0] == "2025"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not a CSV"), (b"id,title\n\xff\xfe\xfa,x", "UTF-8"), (b'a,b\n"1,2\n', "not a CSV")],
)
def test_unreadable_files_are_refused_with_a_reason(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        dataset.read(tmp_path / "t.csv")


def test_missing_file_and_directory(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError, match=str(path)):
            dataset.read(path)


def test_literal_null_is_text_not_missing(tmp_path):
    (tmp_path / "t.csv").write_text("title\nnull\nNA\n")
    assert dataset.read(tmp_path / "t.csv")["title"].tolist() == ["null", "NA"]


def test_folds_never_part_a_group_and_hold_each_row_once(coded):
    held = []
    for train, score in dataset.splits(coded, n_splits=4, seed=3):
        assert not set(coded["group"].iloc[train]) & set(coded["group"].iloc[score])
        held.extend(score)
    assert sorted(held) == list(range(len(coded)))


def test_background_is_read_with_its_size(tmp_path):
    path = tmp_path / "b.csv"
    path.write_text("term,postings\n,100\nteam,40\n")
    background = dataset.load_background(path)
    assert (background.postings, background.counts) == (100, {"team": 40})
    path.write_text("term,postings\nteam,40\n")
    with pytest.raises(DataError, match="empty term"):
        dataset.load_background(path)


def test_near_duplicates_are_found_whatever_the_order():
    texts = ["alpha beta gamma delta", "", "delta gamma beta alpha", "other words here now"]
    assert dataset.near_duplicates(texts) == [(0, 2, 1.0)]
    assert dataset.near_duplicates(["", ""]) == []
