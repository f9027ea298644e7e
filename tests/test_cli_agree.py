from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cxjobs.cli import group

GOOD = """id,title,ann,bob,note
1,Head of CX,cx_management,cx_management,
2,Rep,call_center,call_center,"two
lines"
3,Store,retail_service,sales,
4,Agent,call_center,,
5,Seller,sales,sales,ok
"""


def run(tmp_path, content, *more):
    path = tmp_path / "codings.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return CliRunner().invoke(group, ["agree", str(path), "--replicates", "100", *more])


def test_table_shows_alpha_pairs_roles_and_disagreements(tmp_path):
    result = run(tmp_path, GOOD)
    assert result.exit_code == 0, result.output
    assert "4 postings coded by two or more of 2 coders; 1 coded by fewer" in result.stdout
    assert "Krippendorff's alpha" in result.stdout
    assert "ann / bob" in result.stdout
    assert "Disagreements: 1" in result.stdout
    assert result.stdout.rstrip().splitlines()[-1].split() == ["3", "retail_service", "sales"]


def test_json_holds_everything(tmp_path):
    found = json.loads(run(tmp_path, GOOD, "--json").stdout)
    assert found["coders"] == ["ann", "bob"]
    assert found["compared"] == 4
    assert found["disagreements"] == [{"id": "3", "ann": "retail_service", "bob": "sales"}]
    assert found["agreement"]["estimate"] == 0.75


def test_bom_semicolons_and_order_of_asked_coders(tmp_path):
    content = b"\xef\xbb\xbf" + GOOD.replace(",", ";").encode()
    found = json.loads(run(tmp_path, content, "--coders", "bob, ann", "--json").stdout)
    assert found["coders"] == ["bob", "ann"]


def test_labels_may_be_coded_instead_of_roles(tmp_path):
    content = "id,a,b\n1,cx_management,conflated\n2,conflated,conflated\n"
    assert json.loads(run(tmp_path, content, "--json").stdout)["compared"] == 2
    assert run(tmp_path, content, "--coders", "a,b").exit_code == 0


def test_stdin_and_groups(tmp_path):
    args = ["agree", "-", "--group", "title", "--replicates", "100", "--json"]
    result = CliRunner().invoke(group, args, input=GOOD)
    assert json.loads(result.stdout)["units"] == 5


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("", [], "no rows"),
        ("id,a,b\n", [], "no rows"),
        ("key,a,b\n1,sales,sales\n", [], "no column 'id'"),
        ("id,a,b\n1,sales,seller\n", [], "fewer than two columns"),
        ("id,a,b\n1,sales,seller\n", ["--coders", "a,b"], "line 2, column 'b': 'seller'"),
        ("id,a,b\n1,sales,sales\n", ["--coders", "a,c"], "no column of codings 'c'"),
        ("id,a,b\n1,sales,sales\n", ["--coders", "a"], "two or more columns"),
        ("id,a,b\n1,sales,sales\n1,sales,other\n", [], "line 3: posting '1' stood in line 2"),
        ("id,a,b\n,sales,sales\n", [], "line 2: the column 'id' is empty"),
        ("id,a,b\n1,sales\n", [], "line 2: 2 cells under 3 columns"),
        ("id,a,a\n1,sales,sales\n", [], "two columns named 'a'"),
        ('id,a,b\n1,sales,"sales\n', [], "Is a quote open?"),
        ("id,a,b\n1,sales,sales\n", ["--group", "employer"], "no column 'employer'"),
        (b"id,a,b\n1,sales,caf\xe9\n", [], "not UTF-8"),
    ],
)
def test_wrong_input_is_one_message_and_exit_2(tmp_path, content, options, said):
    result = run(tmp_path, content, *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_missing_file_is_wrong_use():
    assert CliRunner().invoke(group, ["agree", "no_such_file.csv"]).exit_code == 2
