"""A merged table obeys every rule, counts coders once, and loses no answer silently."""

import pandas as pd
import pytest
from conftest import labelled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxjobs import dataset, merge, sheet, taxonomy
from cxjobs.errors import DataError
from cxjobs.taxonomy import PRACTICES, ROLES, label_of

TOLD = "answers the calls and the chats of {} every day in a large team near town"


def coded(**values):
    """A sheet's row."""
    row = dict.fromkeys(sheet.COLUMNS, "") | {"id": "7", "title": "Phone lead"}
    return row | {"description": TOLD.format("guests"), "role": "call_center"} | values


def merged(table, *rows, coder="ann", **options):
    return merge.merge(table, {"s.csv": rows}, coder=coder, date="2025-03-04", **options)


def kinds(found):
    return [one.kind for one in found.outcomes]


def test_a_new_posting_is_added_under_a_hash_of_its_text(table):
    found = merged(table, coded(confidence="low", note="unsure"), coded(role=""))
    assert kinds(found) == ["added"]
    assert len(found.table) == len(table) + 1
    assert dataset.check(found.table) == []
    (new,) = found.table[found.table["source"] == "review"].to_dict("records")
    assert (new["label"], new["basis"], new["coders"], new["year"]) == (
        "conflated",
        "posting",
        "1",
        "",
    )
    assert (new["confidence"], new["understand"]) == ("low", "")
    (record,) = found.log
    assert record["id"] == new["id"]
    assert record["codebook"] == taxonomy.load().version
    assert (record["coder"], record["date"], record["merged"]) == ("ann", "2025-03-04", "added")
    assert (record["note"], record["role"], record["sheet"]) == ("unsure", "call_center", "s.csv")


def test_other_rows_are_untouched(table):
    found = merged(table, coded()).table
    old = found[found["source"] != "review"].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, table)


def test_a_bare_title_keeps_no_elements(table):
    found = merged(table, coded(description="", role="sales", understand="1"))
    (new,) = found.table[found.table["source"] == "review"].to_dict("records")
    assert (new["basis"], new["understand"]) == ("title", "")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"role": "boss"}, "role is 'boss'"),
        ({"design": "yes"}, "design is 'yes'"),
        ({"confidence": "medium"}, "confidence is 'medium'"),
        ({"description": "too short"}, "10 words"),
        ({"title": "!"}, "must hold a word"),
        ({"role": "cx_management", "whole": "0"}, "needs whole = 1"),
        ({"role": "cx_management", "whole": "1", "design": "0", "manage": "0"}, "needs whole = 1"),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused_and_the_others_merged(table, values, told):
    found = merged(table, coded(**values), coded(description=TOLD.format("hosts"), id="8"))
    assert kinds(found) == ["refused", "added"]
    assert told in str(found.outcomes[0])
    assert "s.csv, row 2 (7)" in str(found.outcomes[0])
    assert len(found.log) == 1


def test_a_second_coder_agrees_once(table):
    old = table.iloc[1]
    assert old["role"] == "call_center"
    again = coded(id=old["id"], role=old["role"], description="shortened …")
    first = merged(table.assign(coders="1"), again)
    assert kinds(first) == ["agreed"]
    assert first.table.set_index("id")["coders"][old["id"]] == "2"
    assert first.table.set_index("id")["description"][old["id"]] == old["description"]
    twice = merged(first.table, again, log=first.log)
    assert kinds(twice) == ["known"]
    assert twice.log == ()
    pd.testing.assert_frame_equal(twice.table, first.table)
    other = merged(first.table, again, coder="bob", log=first.log)
    assert other.table.set_index("id")["coders"][old["id"]] == "3"
    fourth = merged(other.table, again, coder="eve", log=(*first.log, *other.log))
    assert fourth.table.set_index("id")["coders"][old["id"]] == "3"


def test_a_conflict_keeps_the_table_unless_told_otherwise(table):
    old = table.iloc[1]
    other = coded(id=old["id"], role="sales", manage="1")
    kept = merged(table, other)
    assert kinds(kept) == ["kept"]
    assert kept.outcomes[0].reason == (
        "role call_center in the table, sales in the sheet; manage 0 in the table, 1 in the sheet"
    )
    pd.testing.assert_frame_equal(kept.table, table)
    again = merged(table, other, log=kept.log)
    assert (kinds(again), again.log) == (["kept"], ())
    taken = merged(table, other, log=kept.log, overwrite=True)
    assert kinds(taken) == ["replaced"]
    row = taken.table.set_index("id").loc[old["id"]]
    assert (row["role"], row["label"], row["manage"]) == ("sales", "conflated", "1")
    assert dataset.check(taken.table) == []
    assert merged(taken.table, other, log=(*kept.log, *taken.log)).log == ()


def test_the_same_posting_in_two_sheets_is_one_row(table):
    found = merged(table, coded(), coded(id="elsewhere"), coded(role="sales"))
    assert kinds(found) == ["added", "known", "kept"]
    assert len(found.table) == len(table) + 1


def test_a_bare_title_that_is_there_is_found_by_its_words(table):
    old = table[table["basis"] == "title"].iloc[0]
    found = merged(
        table, coded(title=f" {old['title'].upper()}!", description="", role=old["role"])
    )
    assert (kinds(found), found.outcomes[0].id) == (["agreed"], old["id"])


def test_groups_follow_employers_and_shared_words(table):
    near = table["description"].iloc[0] + " today"
    assert table["basis"].iloc[0] == "posting"
    rows = [
        coded(company="Acme Ltd."),
        coded(id="8", company="ACME ltd", description=TOLD.format("hosts in shops of all sizes")),
        coded(id="9", description=near, role="sales"),
        coded(id="10", company="Other", description=near + " again", role="sales"),
    ]
    found = merged(table, *rows)
    assert kinds(found) == ["added"] * 4
    group = found.table.set_index("id")["group"]
    a, b, c, d = (group[one.id] for one in found.outcomes)
    assert a == b != c == d == table["group"].iloc[0]
    assert a not in set(table["group"])
    later = merged(
        found.table, coded(id="11", company="acme LTD", description=TOLD.format("x y z w v q"))
    )
    assert later.table.set_index("id")["group"][later.outcomes[0].id] == a


def test_a_row_that_ties_two_groups_is_refused(table):
    one, other = (table[table["basis"] == "posting"].iloc[i] for i in (0, 1))
    assert one["group"] != other["group"]
    rows = [coded(description=r["description"] + " x1", company="Acme") for r in (one, other)]
    found = merged(table, *rows, coded(id="9"))
    assert kinds(found) == ["refused", "refused", "added"]
    assert one["group"] in found.outcomes[0].reason
    assert len(found.log) == 1
    assert dataset.check(found.table) == []


rows = st.builds(
    coded,
    id=st.sampled_from(["1", "00000000000b", "000000000007"]),
    title=st.sampled_from(["Lead", "calls queue lead 5", "=cmd", "<b>Lead</b>"]),
    company=st.sampled_from(["", "Acme", "acme "]),
    description=st.sampled_from(
        ["", "short", *(TOLD.format(w) for w in ("guests", "hosts", "us"))]
    ),
    role=st.sampled_from(["", "boss", *ROLES]),
    confidence=st.sampled_from(["", "high", "low"]),
    **{e: st.sampled_from(["", "0", "1"]) for e in PRACTICES},
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(rows, max_size=6), st.booleans())
def test_whatever_is_coded_the_table_obeys_and_merging_again_changes_nothing(drawn, overwrite):
    table = labelled(30)
    found = merged(table, *drawn, overwrite=overwrite)
    assert dataset.check(found.table) == []
    assert set(table["id"]) <= set(found.table["id"])
    assert len(found.outcomes) == sum(bool(r["role"]) for r in drawn)
    assert (found.table["label"] == found.table["role"].map(label_of)).all()
    once = [r for i, r in enumerate(drawn) if r["role"] and i == 0]
    first = merged(table, *once, overwrite=overwrite)
    again = merged(first.table, *once, log=first.log, overwrite=overwrite)
    pd.testing.assert_frame_equal(again.table, first.table)


def test_log_and_table_are_written_beside_each_other(table, tmp_path):
    path = tmp_path / "jobs.csv"
    found = merged(table, coded(note="näh"))
    merge.write(path, found, [])
    assert merge.read_log(path) == list(found.log)
    pd.testing.assert_frame_equal(dataset.read(path), found.table)
    merge.write(path, found, merge.read_log(path))
    assert len(merge.read_log(path)) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["jobs.csv", "jobs.reviews.jsonl"]
    merge.log_path(path).write_text("{}\n")
    with pytest.raises(DataError, match="line 1: is no record"):
        merge.read_log(path)
    assert merge.read_log(tmp_path / "none.csv") == []
    with pytest.raises(DataError, match="cannot be written"):
        merge.write(tmp_path / "nowhere" / "a.csv", found, [])


def test_a_broken_table_is_refused(table):
    with pytest.raises(DataError, match="breaks 1 rules"):
        merged(table.assign(label=["sales", *table["label"][1:]]), coded())
