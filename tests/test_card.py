"""The model card says what the manifest says."""

from conftest import ROOT

from cxjobs import card, store


def test_the_shipped_card_is_written_by_its_manifest():
    folder = ROOT / "models" / "default"
    manifest = store.read(folder).manifest
    assert (folder / "README.md").read_text(encoding="utf-8") == card.card(manifest)


def test_the_card_tells_figures_promises_and_limits():
    text = card.card(store.read(ROOT / "models" / "default").manifest)
    for word in ("role accuracy", "95 %", "Called", "English only", "scikit-learn"):
        assert word in text
    assert all(line.count("|") > 2 for line in text.splitlines() if line.startswith("|"))
