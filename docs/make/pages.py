"""Pages and parts of pages that are written from the package and the repository's own files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import click

import cxjobs
from cxjobs import cli, taxonomy

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

PAGE_OF = {
    "data/README.md": "data.md",
    "data/codebook.md": "codebook.md",
    "models/default/README.md": "model.md",
    "README.md": "index.md",
}
"""Files of the repository that have a page of their own."""

GROUPS = {
    "Answering": "answer explain highlight flags decision spark errors",
    "Reading and writing": "postings answered intake text taxonomy",
    "Learning": "model features dataset training store card evaluate metrics",
    "People": "agreement review sheet merge learning diff",
    "Surveying": "study survey prevalence shares intervals binomial report charts tables",
}
"""Modules by what one wants to do with them; the rest is told under "Inside"."""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, in the order of the help."""

    def below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        yield name, command
        if isinstance(command, click.Group):
            context = click.Context(command)
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                if found is not None and not found.hidden:
                    yield from below(f"{name} {child}", found)

    yield from below("cxjobs", cli.group)


def command_reference() -> str:
    """All commands with their help, arguments and options."""
    parts = [
        "# Command line\n",
        "Written from the commands themselves when this site is built; `cxjobs COMMAND --help` "
        "says the same.\n",
    ]
    for name, command in commands():
        context = click.Context(command, info_name=name)
        parts.append(f"{'#' * min(len(name.split()) + 1, 4)} {name}\n")
        usage = " ".join(command.collect_usage_pieces(context))
        parts.append(f"```text\n{name} {usage}\n```\n")
        parts.append(_prose(command.help or ""))
        rows = [_option(one, context) for one in command.params if isinstance(one, click.Option)]
        if rows:
            parts += ["| option | meaning | default |", "| --- | --- | --- |", *rows, ""]
    return "\n".join(parts)


def _prose(told: str) -> str:
    """Help as Markdown: what is set apart from the flow of text stays as typed."""
    parts = []
    for paragraph in re.split(r"\n\s*\n", told):
        lines = paragraph.strip("\n").splitlines()
        if lines and lines[0].strip() in ("\b", r"\b"):
            parts.append("```text\n" + dedent("\n".join(lines[1:])) + "\n```")
        else:
            parts.append(re.sub(r"([<>*_\[\]])", r"\\\1", " ".join(s.strip() for s in lines)))
    return "\n\n".join(parts) + "\n"


def _option(option: click.Option, context: click.Context) -> str:
    told = option.to_info_dict()
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if not option.is_flag:
        names += f" {_code(option.make_metavar(context))}"
    default = ""
    if option.show_default and told["default"] not in (None, False):
        default = _code(str(told["default"]))
    meaning = (option.help or "").replace("|", r"\|")
    if option.multiple:
        meaning += " Can be given several times."
    return f"| {names} | {meaning}{' Required.' if option.required else ''} | {default} |"


def _code(text: str) -> str:
    """Code, in which a table's cell may hold a bar as it is."""
    return f"`{text}`"


def module_reference() -> dict[str, str]:
    """Pages of the modules, by group: what is public in each, from its docstrings."""
    package = ROOT / "cxjobs"
    told = {name for names in GROUPS.values() for name in names.split()}
    rest = sorted(p.stem for p in package.glob("*.py") if not p.stem.startswith("_"))
    groups = {**{g: names.split() for g, names in GROUPS.items()}}
    groups["Inside"] = [name for name in rest if name not in told]
    pages = {}
    for group, names in groups.items():
        there = [n for n in names if (package / f"{n}.py").exists() or (package / n).is_dir()]
        body = "\n\n".join(f"::: cxjobs.{name}" for name in there)
        pages[f"reference/{group.lower().replace(' ', '-')}.md"] = f"# {group}\n\n{body}\n"
    return pages


def roles() -> str:
    """Table of the roles and the practice elements, from the taxonomy."""
    told = taxonomy.load()
    lines = ["| role | what its holder mainly does | such as |", "| --- | --- | --- |"]
    lines += [f"| `{r.code}` | {r.definition} | {'; '.join(r.include)} |" for r in told.roles]
    lines += ["", "| practice element | what the job does | not |", "| --- | --- | --- |"]
    lines += [f"| `{p.code}` | {p.definition} | {'; '.join(p.exclude)} |" for p in told.practices]
    return "\n".join(lines)


def sources() -> str:
    """Table of the source formats that are known by their fields."""
    raw = tomllib.loads((ROOT / "cxjobs/postings/sources.toml").read_text("utf-8"))
    lines = ["| source | what it is | title | description |", "| --- | --- | --- | --- |"]
    for one in raw["source"]:
        texts = ", ".join(_either(part) for part in one["description"])
        lines.append(f"| {one['name']} | {one['about']} | {_either(one['title'])} | {texts} |")
    return "\n".join(lines)


def _either(field: str) -> str:
    """A field, or the first of several that isn't empty; long paths may break at their dots."""
    names = (name.replace(".", ".<wbr>") for name in field.split("|"))
    return " or ".join(f"<code>{name}</code>" for name in names)


def promises() -> str:
    """What the shipped model's decision promises, per basis, from its manifest."""
    from cxjobs.answer import load_model

    model: Any = load_model(ROOT / "models/default")
    names = {"posting": "By title and description", "title": "By the title alone"}
    return "\n\n".join(f"*{names[basis]}.* {band}" for basis, band in model.bands.items())


def names() -> str:
    """Table of what ``import cxjobs`` offers, each with the first line of its docstring."""
    at = {
        module: page.removeprefix("reference/")
        for page, text in module_reference().items()
        for module in re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    }
    lines = ["| name | what it is |", "| --- | --- |"]
    for name in cxjobs.__all__:
        if not name.startswith("_"):
            found = getattr(cxjobs, name)
            where = f"{at[found.__module__]}#{found.__module__}.{name}"
            told = (found.__doc__ or "").strip().splitlines()[0]
            lines.append(f"| [`cxjobs.{name}`]({where}) | {told} |")
    return "\n".join(lines)


def parameters() -> str:
    """Parameters of the shipped model, from its manifest."""
    import json

    manifest = json.loads((ROOT / "models/default/manifest.json").read_text("utf-8"))
    lines = ["| parameter | value |", "| --- | --- |"]
    for name, value in manifest["parameters"].items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        lines.append(f"| `{name}` | {shown} |")
    return "\n".join(lines)


def included(path: str, section: str, page: str) -> str:
    """A file of the repository, or one section of it, with its links set right for `page`."""
    text = (ROOT / path).read_text("utf-8")
    if not path.endswith(".md"):
        return f"```{path.rpartition('.')[2]}\n{text}```"
    if section:
        match = re.search(
            rf"^(#+) {re.escape(section)}\n(.*?)(?=^#{{1,2}} |\Z)", text, re.MULTILINE | re.DOTALL
        )
        if match is None:
            raise LookupError(f"{path} has no section {section!r}.")
        text = match[2].strip() + "\n"

    def link(match: re.Match[str]) -> str:
        if re.match(r"[a-z]+:|#", match[2]):
            return match[0]
        target, _, anchor = match[2].partition("#")
        file = ((ROOT / path).parent / target).resolve().relative_to(ROOT).as_posix()
        if file not in PAGE_OF:
            return match[1]
        up = "../" * page.count("/")
        return f"[{match[1]}]({up}{PAGE_OF[file]}{'#' + anchor if anchor else ''})"

    text = re.sub(r"(?<!!)\[([^\]]+)\]\(([^)]+)\)", link, text)
    # A list needs an empty line before it, which the other readers of these files don't ask for.
    return re.sub(r"^((?![-*|\d#]|\s).+)\n(?=- )", r"\1\n\n", text, flags=re.MULTILINE)


PARTS = {f.__name__: f for f in (names, parameters, promises, roles, sources)}
_MARK = re.compile(r"^<!-- (include|write) ([^#\n]+?)(?:#(.+?))? -->$", re.MULTILINE)


def filled(markdown: str, page: str) -> str:
    """A page with its marks replaced by what they name."""

    def fill(match: re.Match[str]) -> str:
        if match[1] == "write":
            return PARTS[match[2]]()
        return included(match[2], match[3] or "", page)

    return _MARK.sub(fill, markdown)
