"""Figures of the README are those of the shipped manifest."""

from conftest import ROOT

from cxjobs import store


def test_figures_are_the_manifests():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    figures = store.read(store.shipped()).manifest["figures"]
    for basis in ("posting", "title"):
        for part, name in (("role", "accuracy"), ("label", "average_precision")):
            value = figures[basis][part][name]
            shown = f"{value['estimate']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
            assert shown in readme, f"{basis} {name} is {shown}"
