"""Short runs over what benchmarks/fuzz tries for longer, and every input that once failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(ROOT / "benchmarks" / "fuzz"))
from run import ODD, seeds
from targets import TARGETS

CASES = sorted((Path(__file__).parent / "cases" / "fuzz").iterdir())
EXAMPLES = {"scorer": 40, "manifest": 60, "table": 60, "cleaner": 300}
SEEDS = seeds()

edits = st.lists(
    st.tuples(
        st.floats(0, 1), st.integers(0, 6), st.sampled_from(ODD) | st.binary(max_size=3)
    ),
    max_size=8,
)  # fmt: skip


def changed(seed: bytes, some: list[tuple[float, int, bytes]]) -> bytes:
    data = bytearray(seed)
    for place, cut, put in some:
        at = int(place * len(data))
        data[at : at + cut] = put
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_any_input(name):
    inputs = st.builds(changed, st.sampled_from(SEEDS[name]), edits) | st.binary(max_size=300)

    @settings(
        max_examples=EXAMPLES.get(name, 120),
        suppress_health_check=[HealthCheck.too_slow],
        database=None,
    )
    @given(inputs)
    def holds(data):
        TARGETS[name](data)

    holds()


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_what_failed_once(case):
    TARGETS[case.name.split("-")[0]](case.read_bytes())
