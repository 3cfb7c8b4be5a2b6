"""Hooks of the docs site: notebooks and measured tables as pages, the reference of commands and functions, other files by name."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("netlists", "characterization", "cosim")
TABLES = r"\]\((?:\.\./)+((?:results|netlists)/\S+)/README\.md(#[^)\s]*)?\)"
"""A link to a page of tables that stands beside what it was measured with."""


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages that are made of other things than Markdown."""
    made = {"reference/commands.md": commands()}
    made |= {f"tutorials/{path.stem}.md": notebook(path) for path in sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))}
    made |= {f"reference/{name}.md": api(name) for name in PACKAGES}
    linked = {t for page in (ROOT / "docs").glob("*.md") for t, _ in re.findall(TABLES, page.read_text())}
    made |= {tables_page(target): (ROOT / target / "README.md").read_text() for target in sorted(linked)}
    for uri, text in made.items():
        files.append(File.generated(config, uri, content=text))
    for page in sorted((ROOT / "docs").glob("*.md")):
        for target in re.findall(r"!\[[^\]]*\]\(\.\./([^)]+)\)", page.read_text()):
            if not files.get_file_from_path(f"outside/{target}"):
                files.append(File.generated(config, f"outside/{target}", abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Names files beyond the docs in place of linking them, and links notebooks as pages."""
    markdown = re.sub(r"(!\[[^\]]*\]\()\.\./", r"\1outside/", markdown)
    if page.file.src_uri.startswith("tutorials/"):
        return markdown
    up = "../" * page.file.src_uri.count("/")
    markdown = re.sub(TABLES, lambda link: f"]({up}{tables_page(link[1])}{link[2] or ''})", markdown)
    if page.file.src_uri.startswith("tables/"):
        markdown = markdown.replace("](../../docs/", "](../")
        return re.sub(r"\[([^\]]*)\]\((?!\.\./|#|https?:)(?!\w+\.md)[^)]*\)", r"\1", markdown)
    markdown = re.sub(r"(?<!!)\[([^\]]*)\]\(\.\./([^)\s#]+)[^)]*\)", r"\1 (`\2`)", markdown)
    return re.sub(r"\]\((tutorials/\w+)\.ipynb\)", r"](\1.md)", markdown)


def tables_page(folder: str) -> str:
    """Where the tables of a folder stand on the site."""
    return f"tables/{Path(folder).name}.md"


def notebook(path: Path) -> str:
    """A notebook as Markdown."""
    parts = [f"*[The notebook]({path.name}): it runs as it stands.*"]
    for cell in json.loads(path.read_text())["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join([parts[1], parts[0], *parts[2:]]) + "\n"


def commands() -> str:
    """The help of every command."""
    from cosim.cli.app import application

    parts = ["# Commands", "What `--help` says of each, made from the commands themselves."]

    def add(group: Any, path: tuple[str, ...]) -> None:
        for name in group.list_commands(None):
            command = group.get_command(None, name)
            if hasattr(command, "list_commands"):
                add(command, (*path, name))
            else:
                words = " ".join((*path, name))
                context = command.make_context(words, [], resilient_parsing=True)
                parts.append(f"## {' '.join((*path[1:], name))}\n\n```text\n{context.get_help()}\n```")

    add(application(), ("cosim",))
    return "\n\n".join(parts) + "\n"


def api(package: str) -> str:
    """What the rooms of a package hand out, read from the stubs beside their doors."""
    parts = [f"# {package}", f"What the rooms of `{package}` hand out, made from their docstrings. Import a name from its room."]
    for stub in sorted((ROOT / package).rglob("__init__.pyi")):
        room = ".".join(stub.parent.relative_to(ROOT).parts)
        if room == package:
            continue
        names = [(name, path) for name, path in handed_out(stub) if resolved(path)]
        if names:
            parts.append(f"## {room}")
            parts += [f"::: {path}\n    options:\n      heading_level: 3\n" for _, path in names]
    return "\n\n".join(parts) + "\n"


def handed_out(stub: Path) -> list[tuple[str, str]]:
    """Names of a door and where each is defined."""
    found = []
    room = stub.parent.relative_to(ROOT).parts
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            source = (*room[: len(room) - node.level + 1], *(node.module or "").split("."))
            found += [(a.asname or a.name, ".".join((*filter(None, source), a.name))) for a in node.names]
    return found


def resolved(path: str) -> bool:
    """Whether a class or function of this path is written in a file, so that its docstring can be read."""
    module, _, name = path.rpartition(".")
    file = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not file.is_file():
        return False
    kinds = (ast.ClassDef, ast.FunctionDef)
    return any(isinstance(node, kinds) and node.name == name for node in ast.parse(file.read_text()).body)
