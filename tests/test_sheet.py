"""A sheet survives the round trip, runs no formula, and says what is wrong with it."""

import builtins

import openpyxl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cxjobs import sheet
from cxjobs.errors import CxjobsError, FormatError
from cxjobs.taxonomy import ROLES

ROW = {"id": "1", "title": "Head of CX", "description": "Own the journey", "role": "", "note": ""}

risky = st.sampled_from(list("=+-@\t\r\n＝＋－＠'"))
cells = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=20)
formulas = st.builds(lambda signs, rest: "".join(signs) + rest, st.lists(risky, max_size=4), cells)


@given(formulas | st.text())
def test_guard_is_undone_and_leaves_no_formula(cell):
    guarded = sheet.guard(cell)
    assert sheet.unguard(guarded) == cell
    assert not guarded.startswith(tuple("=+-@\t\r\n＝＋－＠"))
    assert guarded in (cell, f"'{cell}")


@pytest.mark.parametrize("attack", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''=1"])
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_no_cell_of_a_file_is_a_formula(tmp_path, attack, ending):
    path = tmp_path / f"s.{ending}"
    sheet.write(path, [ROW | {"title": attack, "note": attack, attack: attack}])
    if ending == "xlsx":
        book = openpyxl.load_workbook(path)
        found = [c.value for row in book.worksheets[0].iter_rows() for c in row if c.value]
        assert not any(c.data_type == "f" for row in book.worksheets[0].iter_rows() for c in row)
    else:
        import csv

        with open(path, encoding="utf-8-sig", newline="") as file:
            found = [cell for row in csv.reader(file) for cell in row]
    assert not any(cell.startswith(tuple("=+-@\t\r")) for cell in found)
    back = sheet.read(path)[0]
    if ending == "csv" or "\r" not in attack:
        assert (back["title"], back["note"]) == (attack, attack.strip())


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    title=formulas.filter(lambda t: "\r" not in t), told=cells, role=st.sampled_from(["", *ROLES])
)
@example(title="_x0041_ =", told="a\nb", role="sales")
def test_round_trip(tmp_path, ending, title, told, role):
    path = tmp_path / f"s.{ending}"
    rows = [ROW | {"title": title, "description": told, "role": role, "seen by": "me"}, ROW]
    sheet.write(path, rows)
    back = sheet.read(path)
    assert len(back) == 2
    assert {k: back[0][k] for k in rows[0]} == rows[0] | {"note": ""}
    assert list(back[0]) == [*sheet.COLUMNS, "seen by"]


def test_xlsx_offers_lists_and_the_codebook(tmp_path):
    path = tmp_path / "s.xlsx"
    sheet.write(path, [ROW, ROW])
    book = openpyxl.load_workbook(path)
    offered = {str(v.sqref): v.formula1 for v in book["review"].data_validations.dataValidation}
    assert len(offered) == 7
    letter = openpyxl.utils.get_column_letter(sheet.COLUMNS.index("role") + 1)
    assert offered[f"{letter}2:{letter}3"].strip('"').split(",") == list(ROLES)
    assert all(len(formula) <= 255 for formula in offered.values())  # what Excel takes
    assert {row[0].value for row in book["codebook"].iter_rows()} >= set(ROLES)


def test_numbers_of_a_spreadsheet_are_codes_again(tmp_path):
    path = tmp_path / "s.xlsx"
    sheet.write(path, [ROW])
    book = openpyxl.load_workbook(path)
    page = book["review"]
    for column, value in (
        ("understand", 1),
        ("design", 0.0),
        ("manage", True),
        ("role", " sales "),
    ):
        page.cell(2, sheet.COLUMNS.index(column) + 1, value)
    page.cell(3, 1, None)
    book.save(path)
    (row,) = sheet.read(path)
    assert [row[c] for c in ("understand", "design", "manage", "role")] == ["1", "0", "1", "sales"]


def test_a_csv_saved_by_another_program_is_read(tmp_path):
    path = tmp_path / "s.csv"
    head = ";".join(sheet.COLUMNS)
    told = "Für Kunden; Gäste".replace(";", ",")
    line = ";".join({"id": "7", "title": told, "role": "sales"}.get(c, "") for c in sheet.COLUMNS)
    path.write_bytes(f"{head}\r\n{line}\r\n".encode("cp1252"))
    (row,) = sheet.read(path)
    assert (row["id"], row["title"], row["role"]) == ("7", told, "sales")


def test_long_cells_and_illegal_characters_are_cut(tmp_path):
    path = tmp_path / "s.xlsx"
    sheet.write(path, [ROW | {"description": "x\x0c\x00\ufffe" + "y" * 40_000}])
    assert sheet.read(path)[0]["description"] == "x" + "y" * (sheet.LONGEST - 4)


def test_what_is_no_sheet_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("id,title\n1,Head of CX\n")
    (tmp_path / "b.xlsx").write_bytes(b"PK no workbook")
    (tmp_path / "c.csv").write_text(",".join(sheet.COLUMNS) + "\n1,a,b\n")
    for name, told in (
        ("a.csv", "lacks the column 'description'"),
        ("b.xlsx", "is not an XLSX workbook"),
        ("c.csv", "line 2"),
        ("d.xlsx", "no such file"),
    ):
        with pytest.raises(FormatError, match=told):
            sheet.read(tmp_path / name)
    with pytest.raises(FormatError, match="cannot be written"):
        sheet.write(tmp_path / "nowhere" / "s.csv", [ROW])


def test_without_openpyxl_the_install_line_is_named(tmp_path, monkeypatch):
    original = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("openpyxl"):
            raise ModuleNotFoundError(name)
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    for act in (lambda p: sheet.write(p, [ROW]), sheet.read):
        with pytest.raises(CxjobsError, match=r"pip install 'cxjobs\[xlsx\]'"):
            act(tmp_path / "s.xlsx")
    sheet.write(tmp_path / "s.csv", [ROW])
