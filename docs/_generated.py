"""Fills the marked regions of README and docs from the classes: `python docs/_generated.py --write`.

A region names its table: `<!-- generated: abilities local -->` ... `<!-- end -->`. The tables are

    abilities              every driver of this release, and every ability
    abilities NAME         one driver
    layers                 what becomes of each ability under every layer
    layer NAME             the same for one layer
    options NAME           what a driver's or layer's constructor takes
    providers              what each provider that speaks S3 honours

`--check` writes nothing and names the files that are stale; `tests/docs/test_generated.py` runs it.
"""

# ruff: noqa: INP001, T201 - a script
import argparse
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from storeroom.contracts.abilities import ABILITIES, find
from storeroom.disk import Disk
from storeroom.drivers._registry import DRIVERS, PROVIDERS
from storeroom.drivers._s3.presets import PRESETS
from storeroom.layers._registry import LAYERS

ROOT = Path(__file__).resolve().parents[1]
REGION = re.compile(
    r"(?P<head>^<!-- generated: (?P<words>.+?) -->\n)(?P<body>.*?)(?P<tail>^<!-- end -->$)",
    re.DOTALL | re.MULTILINE,
)

# What a driver's constructor must be given before it can be asked what it can do.
NEEDED: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "local": (("storage/app",), {}),
    "s3": (("media",), {}),
    "gcs": (("media",), {}),
    "azure": (("media",), {"account_name": "media"}),
    "ftp": (("files.example.com",), {"url": "https://files.example.com"}),
    "sftp": (("files.example.com",), {"agent": True, "url": "https://files.example.com"}),
}

YES, SIGNED, NO = "yes", "by `Disk`", "-"


def abilities(name: str | None = None) -> str:
    names = [name] if name else released()
    rows = [
        (f"`{_name(kind)}`", _about(kind), *(_offered(each, kind) for each in names))
        for kind in ABILITIES
    ]
    heads = ["here"] if name else [f"`{each}`" for each in names]
    return _table(("ability", "what it is", *heads), rows)


def layers(name: str | None = None) -> str:
    names = [name] if name else list(LAYERS.entries)
    classes = [LAYERS.load(each) for each in names]
    rows = [
        (f"`{_name(kind)}`", _about(kind), *(_fate(layer, kind) for layer in classes))
        for kind in ABILITIES
    ]
    heads = ["here"] if name else [f"`{layer.__name__}`" for layer in classes]
    return _table(("ability", "what it is", *heads), rows)


def options(name: str) -> str:
    made = (LAYERS if name in LAYERS.entries else DRIVERS).load(name)
    rows = [
        (f"`{parameter.name}`", f"`{_type(parameter)}`", _default(parameter))
        for parameter in _parameters(made)
    ]
    return _table(("option", "type", "default"), rows)


def providers() -> str:
    rows = [
        (
            f"`{name}`",
            preset.checksum,
            *(YES if getattr(preset, has) else NO for has in ("acl", "tags", "tiers", "versions")),
            YES if preset.forms else NO,
            ", ".join(sorted(preset.conditions)) or NO,
        )
        for name, preset in PRESETS.items()
    ]
    heads = ("provider", "checksum", "`acl`", "`tags`", "`tiers`", "`versions`", "`forms`")
    return _table((*heads, "`conditions`"), rows)


def released() -> list[str]:
    """One name for each class: a provider is the driver of S3."""
    return [name for name in DRIVERS.entries if name not in PROVIDERS]


TABLES: dict[str, Callable[..., str]] = {
    "abilities": abilities,
    "layers": layers,
    "layer": layers,
    "options": options,
    "providers": providers,
}


def filled(text: str) -> str:
    """The text with every region as the classes have it now."""
    return REGION.sub(lambda found: f"{found['head']}{table(found['words'])}{found['tail']}", text)


def table(words: str) -> str:
    if words in TABLES:
        return TABLES[words]()
    kind, _, name = words.partition(" ")
    if kind not in TABLES:
        raise SystemExit(f"there is no generated table {words!r}; there are: {', '.join(TABLES)}")
    return TABLES[kind](name)


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def stale() -> list[Path]:
    """The documents that `--write` would change."""
    return [file for file in documents() if filled(_text(file)) != _text(file)]


def _offered(name: str, kind: Callable[..., Any]) -> str:
    places, named = NEEDED.get(name, ((), {}))
    driver = DRIVERS.load(name)(*places, **named)
    if find(driver, kind) is not None:
        return YES
    return SIGNED if find(Disk(driver), kind) is not None else NO


def _fate(layer: Any, kind: Callable[..., Any]) -> str:
    for word in ("adds", "adapts", "keeps"):
        if kind in getattr(layer, word):
            return word
    return "hides"


def _name(kind: Callable[..., Any]) -> str:
    return getattr(kind, "__name__", str(kind))


def _about(kind: Callable[..., Any]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0].rstrip(".").replace("|", r"\|")


def _parameters(made: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(made).parameters.values())


def _type(parameter: inspect.Parameter) -> str:
    return _shown(parameter.annotation)


def _shown(annotation: Any) -> str:
    """The annotation as it is written, without the bars that would end the table's cell."""
    parts = typing.get_args(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " or ".join(_shown(part) for part in parts)
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(repr(part) for part in parts)
    if annotation in (None, types.NoneType):
        return "None"
    if isinstance(annotation, type) and not parts:
        return annotation.__name__
    text = re.sub(r"\b(?:typing|collections\.abc|os)\.", "", str(annotation))
    return re.sub(r"\bstoreroom(?:\.\w+)+\.", "", text).replace(" | ", " or ")


def _default(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return "none"
    if parameter.default is inspect.Parameter.empty:
        return "required"
    return f"`{parameter.default!r}`"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *(list(row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--check", action="store_true", help="name what is stale, and fail")
    choice.add_argument("--write", action="store_true", help="bring it up to date")
    writes = parser.parse_args().write
    for file in stale():
        if writes:
            file.write_text(filled(_text(file)), encoding="utf-8")
        print(f"{'written' if writes else 'stale'}: {file.relative_to(ROOT)}")
    return 1 if not writes and stale() else 0


if __name__ == "__main__":
    sys.exit(main())
