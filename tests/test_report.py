"""The study of a batch and its drawings: figures as they are, nothing from outside, all escaped."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import subprocess
import sys
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from test_survey import MIX, K, answers, probabilities

import cxjobs
from cxjobs.charts import Bar, between, percent, svg
from cxjobs.errors import CxjobsError, DataError, FormatError
from cxjobs.explain import Explanation
from cxjobs.page import excerpt
from cxjobs.prevalence import calibration
from cxjobs.report import CSV_COLUMNS, headline, to_html, to_rows, to_text, write
from cxjobs.study import definitions
from cxjobs.study import survey as study_of
from cxjobs.taxonomy import CX, PRACTICES, REVIEW, ROLES

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> \"Head\" of 'CX' & Co ]]> --> "
    "http://evil.example/x javascript:alert(1) url(http://evil.example) @import $title ${body} "
    "\x1b[31m \u202eevil\u202c =1+1"
)
VOID = {"meta", "br", "img", "hr", "input", "link", "wbr"}


@pytest.fixture(scope="module")
def errors():
    rng = np.random.default_rng(0)
    truth = rng.choice(K, 1500, p=MIX)
    told = {basis: probabilities(rng, truth, 3.0) for basis in ("posting", "title")}
    return json.loads(json.dumps(calibration(told, np.array(ROLES)[truth])))


@pytest.fixture(scope="module")
def model(errors):
    """The shipped model, with errors made up, so that shares are corrected."""
    loaded = cxjobs.load_model()
    loaded.manifest = {**loaded.manifest, "survey": errors}
    return loaded


@pytest.fixture(scope="module")
def frame(model):
    """120 labelled postings, answered; two kinds of employer, some rejected and doubted."""
    table = pd.read_csv(ROOT / "data" / "labeled_jobs.csv", dtype=str, keep_default_na=False)
    table = table[table["source"] == "composed"].sample(120, random_state=3)
    table = table.rename(columns={"role": "true_role"})[["id", "title", "description", "true_role"]]
    table["company"] = ["Alpha & Söhne" if i % 3 else "Beta <b>" for i in range(120)]
    table.iloc[0, 1:3] = ""
    table.iloc[1, 1:3] = ["Leiter Kundenerlebnis", "Wir suchen eine erfahrene Leitung " * 20]
    answered = model.classify(table.reset_index(drop=True))
    answered.loc[[5, 6], "flags"] = "duplicate_of:7"
    return answered


@pytest.fixture(scope="module")
def found(frame, model):
    return study_of(frame, model=model, by="company")


@pytest.fixture(scope="module")
def hostile(model):
    frame = pd.DataFrame(
        {
            "id": [HOSTILE] * 12,
            "title": [f"Head of Customer Experience {HOSTILE} {i}" for i in range(12)],
            "description": [f"{HOSTILE} Own the customer journey and redesign it. " * 6] * 12,
            "company": [HOSTILE] * 12,
        }
    )
    return study_of(model.classify(frame), model=model, by="company")


class Page(HTMLParser):
    """Reads a page strictly: every element is closed where it must be, no id twice."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.ids, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def assert_sound(text):
    """Well-formed, nothing from outside, nothing that runs, no link that leads out."""
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "iframe", "object", "embed", "link", "base", "form", "use"}
    for tag, attrs in page.elements:
        assert not any(name.startswith("on") for name in attrs), (tag, attrs)
        assert not {"src", "srcset", "xlink:href", "action", "data"} & set(attrs)
        if "href" in attrs:
            assert attrs["href"].startswith("#")
            assert attrs["href"][1:] in page.ids
        assert "url(" not in (attrs.get("style") or "")
        for key in (attrs.get("aria-labelledby") or "").split():
            assert key in page.ids
    style = text[text.index("<style>") : text.index("</style>")]
    assert not re.search(r"@import|url\(|expression", style)
    return page


def test_page_is_whole_and_needs_nothing(found):
    page = assert_sound(to_html(found))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert {"header", "main", "footer", "nav", "section"} <= {tag for tag, _ in page.elements}
    assert len(page.all("table")) == len(page.all("caption")) >= 6
    charts = page.all("svg")
    assert len(charts) >= 2
    assert all(c["role"] == "img" and c["aria-labelledby"] for c in charts)
    assert len(page.all("title")) == 1 + len(charts)
    assert len(page.all("desc")) == len(charts)
    assert all("scope" in th for th in page.all("th"))
    heads = [tag for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    levels = [int(h[1]) for h in heads]
    assert all(b <= a + 1 for a, b in pairwise(levels))
    policy = next(m for m in page.all("meta") if m.get("http-equiv"))
    assert policy["content"].startswith("default-src 'none'")


def test_figures_of_the_page_are_those_of_the_survey(found):
    text = to_html(found, made=date(2026, 5, 3))
    page = Page(text)
    main = found.main
    assert headline(main) in page.text
    assert percent(main.corrected.low, 0) in headline(main)
    assert "3 May 2026" in page.text
    rows = re.findall(r'<tr[^>]*><th scope="row">(.*?)</th>(.*?)</tr>', text)
    cells = {
        re.sub("<.*", "", head): re.findall(r'<td class="number">(.*?)</td>', body)
        for head, body in reversed(rows)  # of two tables of roles the first counts postings
    }
    for row in main.table.to_dict("records"):
        number, corrected, naive = cells[row["name"]][:3]
        assert number == str(row["postings"])
        assert naive == (
            f"{percent(row['share'])}<small>{between(row['low'], row['high'])}</small>"
        )
        told = between(row["corrected_low"], row["corrected_high"])
        assert corrected == f"{percent(row['corrected'])}<small>{told}</small>"
    for row in found.definitions.to_dict("records"):
        assert cells[row["definition"]][0].startswith(percent(row["share"]))
    for row in main.practice.to_dict("records"):
        assert cells[row["name"]][1].startswith(percent(row["cx_share"]))
    for row in main.groups.to_dict("records"):
        assert percent(row["share"]) in text
    left = main.labels.set_index("label").loc[REVIEW, "postings"]
    assert cells["Decided: for a person to look at"][0] == str(left)
    assert cells["Counted"][0] == str(main.counted)
    assert f"{left} of the {main.counted} are left" in page.text


def test_bars_and_whiskers_lie_where_the_figures_say():
    drawn = svg([Bar("A", 0.1, 0.05, 0.15, ring=0.12, dark=True), Bar("B", 0.2, 0.1, 0.2)],
                "k", "T", "D")  # fmt: skip
    assert re.findall(r'<rect x="0" y="\d+" width="([\d.]+)%"', drawn) == ["50.00", "100.00"]
    whiskers = re.findall(
        r'<line x1="([\d.]+)%" x2="([\d.]+)%" y1="\d+" y2="\d+" stroke="#111', drawn
    )
    assert whiskers[0] == ("25.00", "75.00")
    assert re.findall(r'<circle cx="([\d.]+)%', drawn) == ["60.00"]
    nothing = svg([Bar("C", math.nan, math.nan, math.nan, note="<none>")], "k", "T", "D")
    assert "<rect" not in nothing
    assert "&lt;none&gt;" in nothing
    Page(drawn + nothing.replace("k-", "j-"))


def test_nothing_of_a_posting_is_taken_for_markup(hostile):
    text = to_html(hostile)
    page = assert_sound(text)
    assert "<script>alert" not in text
    assert "onerror=alert(1)&gt;" in text
    assert "\x1b" not in text
    assert "javascript:alert(1)" in page.text
    assert "$title" in page.text, "the template fills nothing from a posting"
    assert page.all("a"), "only the contents are links"
    fragment = hostile._repr_html_()
    Page(fragment)
    assert "<script" not in fragment
    assert "\x1b" not in str(hostile)


@settings(max_examples=10, deadline=None)
@given(title=st.text(max_size=60), company=st.text(min_size=1, max_size=40))
def test_any_text_leaves_the_page_whole(title, company):
    rng = np.random.default_rng(1)
    batch = answers(rng, np.arange(12) % K).assign(
        title=title, company=company, id=company, model=title
    )
    found = study_of(batch, by="company")
    assert_sound(to_html(found))
    assert str(found).isprintable() or all(c.isprintable() or c == "\n" for c in str(found))


def test_spreadsheets_run_no_cell(model):
    titles = ["=HYPERLINK(1)", "+1", "-1", "@x"]
    frame = model.classify(
        pd.DataFrame({"title": [f"{t} Head of Customer Experience" for t in titles]})
    )
    rows = to_rows(study_of(frame, model=model))
    cells = [cell for row in rows for cell in row.values()]
    assert any(cell.startswith(("'=", "'+")) for cell in cells)
    assert not any(cell[:1] in "=+@" for cell in cells if cell)
    assert not any(re.match(r"-\D", cell) for cell in cells)


def test_csv_and_json_hold_every_share(found):
    rows = to_rows(found)
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    back = pd.read_csv(io.StringIO(text.getvalue()))
    roles = back[(back["per"] == "posting") & (back["table"] == "role")].set_index("code")
    assert roles.loc[CX, "corrected"] == pytest.approx(found.main.corrected.estimate, abs=1e-6)
    assert set(back["table"]) == {"role", "label", "practice", "definition", "by company"}
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["per_posting"]["naive"]["estimate"] == found.main.naive.estimate
    assert plain["per_role"]["repeated"] == 2
    assert len(plain["definitions"]) == 5


def test_text_is_aligned_and_tells_what_was_left_out(found):
    text = to_text(found)
    assert text.startswith(headline(found.main))
    assert "1 without title and description" in text
    assert "not to be trusted" in text
    assert "unique roles" in text
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("role  "))
    column = lines[at].index("corrected")
    assert all(line[column - 1] == " " for line in lines[at + 1 : at + 14])
    for line in lines[at + 1 : at + 14]:
        assert re.search(r"\d+\.\d% \(", line[column:])
    assert max(map(len, lines[at : at + 14])) <= 80


def test_unique_roles_are_told_apart_only_where_postings_repeat(frame, model, found):
    assert found.surveys["role"].counted == found.surveys["posting"].counted - 2
    assert "Each role counted once" in to_html(found)
    once = study_of(
        frame.assign(flags=frame["flags"].str.replace("duplicate_of:7", "")), model=model
    )
    assert "No posting repeats another" in to_html(once)
    only = study_of(frame, model=model, per=["role"])
    assert list(only.surveys) == ["role"]
    assert "unique roles are true" in str(only)
    with pytest.raises(DataError, match="per"):
        study_of(frame, model=model, per=[])


def test_examples_show_words_that_add_up(found):
    kinds = {one.kind for one in found.examples}
    assert {CX, REVIEW} <= kinds
    titles = [one.title.casefold() for one in found.examples if one.kind == CX]
    assert len(titles) == len(set(titles)) == 3
    assert all(isinstance(one.why, Explanation) for one in found.examples)
    assert all(one.why.role == one.role for one in found.examples)
    for one in found.examples:
        short = excerpt(one.why, 120)
        assert len(short.description) <= 120
        assert short.description in one.why.description
        for term in short.terms:
            part = getattr(short, term.block)
            full = next(t for t in one.why.terms if (t.block, t.term) == (term.block, term.term))
            assert len(term.spans) <= len(full.spans)
            assert term.weight / len(term.spans) == pytest.approx(full.weight / len(full.spans))
            if term.block == "description":
                assert part[slice(*term.spans[0])].casefold() in {
                    one.why.description[slice(*s)].casefold() for s in full.spans
                }
    assert "<mark" in to_html(found)


def test_gaps_are_listed_both_ways(frame, model):
    frame = frame.copy()
    rows = frame.index[(frame["basis"] == "posting") & (frame["cx_probability"] < 0.2)][:3]
    frame.loc[rows, "title_cx_probability"] = [0.99, 0.9, 0.8]
    rows = frame.index[(frame["basis"] == "posting") & (frame["cx_probability"] > 0.8)][:2]
    frame.loc[rows, "title_cx_probability"] = 0.02
    found = study_of(frame, model=model)
    text = Page(to_html(found)).text
    for kind, head in (("name only", "CX in name only"), ("all but name", "CX in all but name")):
        number = (found.main.gaps["kind"] == kind).sum()
        assert number >= 2
        assert f"{head}: {number}" in text
        for one in found.examples:
            if one.kind == kind:
                assert " ".join(one.title.split()) in text


def test_audit_by_ids_comes_first(frame, model):
    counted = frame[(frame["status"] == "ok") & (frame["flags"] == "")]
    coded = counted.sample(30, random_state=0)[["id", "true_role"]]
    coded = coded.rename(columns={"true_role": "role"})
    found = study_of(frame, model=model, audit=coded)
    by_index = pd.Series(coded["role"], index=coded.index)
    assert found.best == study_of(frame, model=model, audit=by_index).best == found.main.audited
    assert "By the audit" in to_html(found)
    assert "audited sample" in str(found)
    strange = pd.concat([coded, pd.DataFrame({"id": ["nobody"], "role": ["sales"]})])
    assert any("'nobody'" in note for note in study_of(frame, model=model, audit=strange).notes)
    twice = pd.concat(
        [coded, coded.head(1).assign(role="other" if coded["role"].iloc[0] == CX else CX)]
    )
    with pytest.raises(DataError, match="two roles"):
        study_of(frame, model=model, audit=twice)
    with pytest.raises(DataError, match="'id' and 'role'"):
        study_of(frame, model=model, audit=coded[["role"]])
    with pytest.raises(DataError, match="no column 'id'"):
        study_of(frame.drop(columns="id"), model=model, audit=coded)


def test_errors_of_another_model_correct_nothing(frame, model):
    other = study_of(frame.assign(model="other-1+0000"), model=model)
    assert other.main.corrected is None
    assert other.about == {}
    assert all(one.why is None for one in other.examples)
    assert any("other-1+0000" in note for note in other.notes)
    page = assert_sound(to_html(other))
    assert "not corrected for the model's errors" in page.text
    assert "no words are marked" in page.text
    unknown = study_of(frame.drop(columns="model"))
    assert unknown.models == ()
    assert_sound(to_html(unknown))


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_small_batches_are_told_as_they_are(frame, model, rows):
    found = study_of(frame.iloc[10 : 10 + rows], model=model, by="company")
    page = assert_sound(to_html(found))
    assert not re.search(r"\bnan\b", page.text + str(found))
    if not rows:
        assert "None of 0 postings could be counted" in page.text
    json.dumps(found.to_dict(), allow_nan=False)
    to_rows(found)


def test_a_batch_of_rejected_postings_has_no_shares(frame, model):
    found = study_of(frame.iloc[[0, 1]], model=model)
    assert found.main.counted == 0
    assert "None of 2 postings could be counted" in assert_sound(to_html(found)).text


def test_answers_alone_are_enough():
    rng = np.random.default_rng(5)
    bare = answers(rng, rng.choice(K, 80, p=MIX))
    found = study_of(bare.drop(columns=["title", "practice", "practice_score", "flags"]))
    page = assert_sound(to_html(found))
    assert found.examples == ()
    assert "Practice scorecard" not in page.text
    assert any("'flags'" in note for note in found.notes)
    to_rows(found)


def test_repeated_index_is_no_hindrance(frame, model):
    both = pd.concat([frame.head(60), frame.tail(60)]).set_axis([0] * 120)
    assert study_of(both, model=model).main.counted > 0


def test_public_name_stays_a_function(frame):
    import cxjobs.survey as taken  # the module of the same name  # noqa: F401

    assert callable(cxjobs.survey)
    assert cxjobs.survey is study_of
    assert cxjobs.survey(frame).main.postings == 120


def test_definitions_are_those_of_the_codebook():
    text = (ROOT / "data" / "codebook.md").read_text(encoding="utf-8")
    lines = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    head = next(line for line in lines if line[:2] == ["element", "Ceatro"])
    assert [d.name for d in definitions()] == head[1:]
    for element in PRACTICES:
        row = next(line for line in lines if line[0] == f"`{element}`" and len(line) == 6)
        assert [d.words.get(element, "-") for d in definitions()] == row[1:]


def test_plot_shows_shares_and_intervals(found):
    import matplotlib as mpl

    mpl.use("Agg")
    axes = found.plot()
    top = found.table.set_index("role").loc[CX]
    assert axes.patches[0].get_width() == pytest.approx(100 * top["corrected"])
    assert axes.get_yticklabels()[0].get_text() == "CX management"
    assert "95% intervals (%)" in axes.get_xlabel()
    mpl.pyplot.close(axes.figure)


def test_plot_without_matplotlib_names_the_extra(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(CxjobsError, match=r"cxjobs\[notebook\]"):
        found.plot()


def test_written_whole_or_not_at_all(found, tmp_path):
    text = found.to_html(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_bytes().decode() == text
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(FormatError, match="cannot be written"):
        write(tmp_path / "nowhere" / "r.html", text)


CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
PROBE = """<!doctype html><body style="margin:0"><iframe id="f" style="border:0"></iframe><script>
const f = document.getElementById("f"), told = [];
const page = PAGE;
let widths = [360, 1100];
function next() {
  if (!widths.length) { document.title = JSON.stringify(told); return; }
  f.width = widths.shift(); f.height = 3000;
  f.onload = () => {
    const d = f.contentDocument, w = d.documentElement;
    const box = e => e.getBoundingClientRect();
    const bars = [...d.querySelectorAll("svg.chart rect")].map(e => box(e).width);
    const letters = [...d.querySelectorAll("svg.chart")].map(s => [...s.querySelectorAll("text")]
      .map(box)).map(t => t.some((a, i) => t.some((b, j) => i < j && a.left < b.right - 1 &&
        b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)));
    const loaded = f.contentWindow.performance.getEntriesByType("resource").length;
    told.push({asked: +f.width, width: w.scrollWidth, seen: w.clientWidth, loaded,
      tables: d.querySelectorAll("table").length, charts: d.querySelectorAll("svg").length,
      bars, overlaps: letters.filter(Boolean).length, colour: getComputedStyle(d.body).color,
      wide: [...d.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth + 1)
        .length,
      marks: d.querySelectorAll("mark").length, height: w.scrollHeight});
    next();
  };
  f.srcdoc = page;
}
next();
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_page_in_a_browser(found, hostile, tmp_path):
    for name, study in (("plain", found), ("hostile", hostile)):
        text = to_html(study)
        # The probe looks from outside; the page itself runs nothing.
        script = json.dumps(text).replace("</", "<\\/")
        probe = tmp_path / f"{name}.html"
        probe.write_text(PROBE.replace("PAGE", script, 1), encoding="utf-8")
        done = subprocess.run(
            [
                CHROMIUM, *QUIET, f"--user-data-dir={tmp_path}/profile", "--enable-logging=stderr",
                "--virtual-time-budget=4000", "--window-size=1200,3000", "--dump-dom",
                probe.as_uri(),
            ],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        told = re.search(r"<title>(\[.*?\])</title>", done.stdout)
        assert told, done.stderr[-2000:]
        assert "CONSOLE" not in done.stderr, done.stderr[-2000:]
        for seen in json.loads(told[1]):
            assert seen["width"] <= seen["seen"] == seen["asked"], f"{name}: wider than the screen"
            assert seen["loaded"] == 0
            assert seen["tables"] >= 5
            assert seen["charts"] >= 2
            assert seen["marks"] > 5
            assert max(seen["bars"]) > seen["asked"] / 4
            assert seen["colour"] == "rgb(17, 17, 17)"
            if name == "plain":
                assert seen["overlaps"] == 0, "letters of a chart run into each other"
                assert seen["wide"] == 0, "a table has to be scrolled"


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_page_prints(found, tmp_path):
    page, out = tmp_path / "r.html", tmp_path / "r.pdf"
    found.to_html(page)
    subprocess.run(
        [
            CHROMIUM, *QUIET, f"--user-data-dir={tmp_path}/profile", "--no-pdf-header-footer",
            f"--print-to-pdf={out}", page.as_uri(),
        ],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    raw = out.read_bytes()
    assert raw.startswith(b"%PDF")
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", raw)) <= 25
