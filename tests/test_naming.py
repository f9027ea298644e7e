from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cxjobs.naming import PREFIX, own_name, own_names


def test_a_name_that_is_taken_gets_a_prefix_until_it_is_free():
    assert own_names(["a", "b"], ["a", "cxjobs_a"]) == ["cxjobs_cxjobs_a", "b"]


names = st.builds(lambda n, name: PREFIX * n + name, st.integers(0, 2), st.sampled_from("ab"))


@given(st.sets(names), st.sets(st.sampled_from("ab")))
def test_ours_are_new_and_found_again(source, answer):
    # A source that has the prefixed name but not the plain one would pass for an answer.
    source = {name for name in source if name.removeprefix(PREFIX) in source or len(name) == 1}
    ours = own_names(sorted(answer), source)
    assert not source & set(ours)
    assert len(set(ours)) == len(answer)
    columns = [*source, *ours]
    assert [own_name(name, columns) for name in sorted(answer)] == ours
    assert own_name("c", columns) is None
