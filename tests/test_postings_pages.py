"""Postings inside pages: JSON-LD and microdata, and nothing else that a page says."""

from __future__ import annotations

import json

import pytest

from cxjobs.postings import pages
from cxjobs.postings.batch import Reject
from cxjobs.postings.inputs import Stream


def read(tmp_path, text):
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    found = list(pages.read(Stream(str(path))))
    return [one.value for one in found if not isinstance(one, Reject)], [
        one for one in found if isinstance(one, Reject)
    ]


def script(code, kind="application/ld+json"):
    return f'<script type="{kind}">{code}</script>'


JOB = {"@type": "JobPosting", "title": "Größe & Co"}


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        " \n{};\n",
        "<!-- {} -->",
        "//<![CDATA[\n{}\n//]]>",
        '[{{"@type": "WebSite"}}, {}]',
        '{{"@graph": [{{"@type": "Organization", "name": "n"}}, {}]}}',
    ],
)
def test_json_ld_is_found_in_every_wrapping(tmp_path, around):
    values, rejects = read(tmp_path, script(around.format(json.dumps(JOB, ensure_ascii=False))))
    assert values == [JOB]
    assert rejects == []


def test_line_ends_inside_strings_are_text(tmp_path):
    values, _ = read(tmp_path, script('{"@type": "JobPosting", "title": "a\n\tb"}'))
    assert values[0]["title"] == "a\n\tb"


def test_each_script_is_told_by_its_line(tmp_path):
    page = "\n\n" + script("{broken}") + "\n" + script("[7]") + "\n" + script(json.dumps(JOB))
    values, rejects = read(tmp_path, page + "\n" + script("{broken}") + script("", "text/x"))
    assert values == [JOB]
    assert [(one.line, one.raw) for one in rejects] == [(3, "{broken}"), (4, "7"), (6, "{broken}")]
    assert rejects[0].reason.startswith("broken JSON-LD: Expecting property name")


@pytest.mark.parametrize(
    "page",
    [
        "<p>nothing</p>",
        "",
        script(json.dumps(JOB), "text/json"),
        script('{"@type": "WebSite", "title": "no"}'),
        '<div itemscope itemtype="https://schema.org/Product"></div>',
        '<div itemtype="https://schema.org/JobPosting"></div>',
    ],
)
def test_a_page_without_postings_is_a_reject(tmp_path, page):
    values, rejects = read(tmp_path, page)
    assert values == []
    assert [(one.line, one.raw, one.reason[:13]) for one in rejects] == [(1, "", "no JobPosting")]


def test_a_page_too_large_is_a_reject(tmp_path, monkeypatch):
    page = script(json.dumps(JOB, ensure_ascii=False))
    monkeypatch.setattr(pages, "LONGEST", len(page.encode()))
    assert read(tmp_path, page) == ([JOB], [])
    values, rejects = read(tmp_path, page + " ")
    assert values == []
    assert [(one.line, one.raw) for one in rejects] == [(1, "")]
    assert rejects[0].reason == f"a page of over {pages.LONGEST} bytes"


MICRODATA = """
<div itemscope itemtype="http://schema.org/JobPosting">
  <h1 itemprop="title name"> Head of <b>CX</b> </h1>
  <div itemprop="description"><p>One</p><p>Two</p></div>
  <div itemprop="hiringOrganization" itemscope itemtype="http://schema.org/Organization">
    <span itemprop="name">Ferry</span>
    <a itemprop="url" href="https://x.example">site</a>
  </div>
  <div itemscope itemtype="http://schema.org/Offer"><span itemprop="price">9</span></div>
  <meta itemprop="skills" content="a"><meta itemprop="skills" content="b">
  <meta itemprop="skills" content="c">
  <time itemprop="datePosted" datetime="2025-01-02">today</time>
  <span itemprop="place" href="no">Kiel</span>
  <img itemprop="logo" src="l.png"><link itemprop="same" href="s">
  <div><p><i itemprop="deep">down</i></p></div>
</div>
<div itemscope itemtype="https://schema.org/JobPosting"><b itemprop="title">Second</b></div>
"""


def test_microdata_says_what_json_ld_would(tmp_path):
    values, rejects = read(tmp_path, MICRODATA)
    assert rejects == []
    assert values[1] == {"@type": "JobPosting", "title": "Second"}
    first = values[0]
    assert " ".join(first.pop("title").split()) == "Head of CX"
    assert " ".join(first.pop("name").split()) == "Head of CX"
    assert first == {
        "@type": "JobPosting",
        "description": '<div itemprop="description"><p>One</p><p>Two</p></div>',
        "hiringOrganization": {
            "@type": "Organization", "name": "Ferry", "url": "https://x.example",
        },
        "skills": ["a", "b", "c"],
        "datePosted": "2025-01-02",
        "place": "Kiel",
        "logo": "l.png",
        "same": "s",
        "deep": "down",
    }  # fmt: skip


def test_a_scope_without_type_has_an_empty_one(tmp_path):
    values, _ = read(
        tmp_path,
        '<div itemscope itemtype="schema.org/JobPosting"><p itemprop="x" itemscope></p></div>',
    )
    assert values == [{"@type": "JobPosting", "x": {"@type": ""}}]
