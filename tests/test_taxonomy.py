"""The taxonomy file and the constants beside it say the same."""

from cxjobs import taxonomy


def test_codes_of_the_file_are_the_constants_in_order():
    loaded = taxonomy.load()
    assert tuple(e.code for e in loaded.roles) == taxonomy.ROLES
    assert tuple(e.code for e in loaded.practices) == taxonomy.PRACTICES


def test_every_entry_is_defined_and_named_once():
    loaded = taxonomy.load()
    names = [e.name for e in loaded.roles + loaded.practices]
    assert len(set(names)) == len(names)
    assert names == [taxonomy.name_of(e.code) for e in loaded.roles + loaded.practices]
    assert all(len(e.definition) > 40 for e in loaded.roles + loaded.practices)


def test_only_the_cx_role_has_the_cx_label():
    assert [r for r in taxonomy.ROLES if taxonomy.label_of(r) == taxonomy.CX] == [taxonomy.CX]
