"""Rules of the house: who may import whom, one way of doing each thing, short pages, light imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit import config

from cnn_demo.ui.shared import layout, navigation

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest there

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "cnn_demo"
PAGES = sorted((ROOT / "pages").rglob("*.py"))
SOURCES = sorted(path for path in PACKAGE.rglob("*.py"))

# The rooms from the ground up. A room may import those of its own tier that are named before it, and all tiers below.
TIERS: tuple[tuple[str, ...], ...] = (
    ("locales", "settings", "plots"),
    ("datasets", "handwriting", "drawing"),
    ("models",),
    ("training", "inspect"),
    ("prediction",),
    ("evaluation", "lessons", "export"),
    ("runs",),
    ("serve", "cli"),
    ("ui",),
)
RANK = {room: (tier, place) for tier, rooms in enumerate(TIERS) for place, room in enumerate(rooms)}


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, also inside functions; imports for the type checker count too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str | None:
    """The room of a module of ours, such as ``training`` for ``cnn_demo.training.loop``."""
    parts = module.split(".")
    return parts[1] if parts[0] == "cnn_demo" and len(parts) > 1 and parts[1] in RANK else None


def test_rooms_import_downwards_only() -> None:
    wrong = []
    for path in SOURCES:
        own = room("cnn_demo." + path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
        if own is None:
            continue
        for module in imported(path):
            other = room(module)
            if other and RANK[other] > RANK[own]:
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_every_room_is_in_the_plan() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms <= set(RANK), f"a room without a place in the order: {rooms - set(RANK)}"


def test_pages_do_not_import_each_other_and_ui_folders_share_only_what_is_shared() -> None:
    wrong = []
    for path in sorted((PACKAGE / "ui").rglob("*.py")):
        own = path.relative_to(PACKAGE / "ui").parts[0]
        for module in imported(path):
            parts = module.split(".")
            if parts[:2] == ["cnn_demo", "ui"] and len(parts) > 2 and parts[2] not in (own, "shared", "components"):
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_the_core_never_loads_streamlit() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in SOURCES
        if "ui" not in path.parts and path.name not in ("__init__.py", "__main__.py")
    ]
    code = "import importlib, sys\n" + "".join(f"importlib.import_module({name!r})\n" for name in modules)
    code += "assert 'streamlit' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300, cwd=ROOT)


def test_ui_imports_nothing_heavy() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in ("shared", "start", "train")
        for path in sorted((PACKAGE / "ui" / folder).glob("*.py"))
        if path.stem != "__init__"
    ]
    code = "import sys\n" + "".join(f"import {name}\n" for name in modules)
    code += (
        "heavy = {'torch', 'torchvision', 'matplotlib', 'captum', 'scipy'} & set(sys.modules)\nassert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=ROOT)


def flat(table: dict[str, object], prefix: str = "") -> list[str]:
    """The dotted names of all settings in a TOML table."""
    keys: list[str] = []
    for name, value in table.items():
        keys += flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
    return keys


def test_every_setting_of_the_server_still_exists() -> None:
    settings = flat(tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8")))
    assert "runner.postScriptGC" in settings  # hidden: not in the documentation, so it may go without notice
    known = config.get_config_options()
    assert [key for key in settings if key not in known] == []


def test_pages_in_the_menu_exist_and_no_page_lies_directly_in_the_folder() -> None:
    assert sorted(ROOT / entry.path for entry in navigation.PAGES) == PAGES
    assert list((ROOT / "pages").glob("*.py")) == []
    assert len({Path(entry.path).stem for entry in navigation.PAGES}) == len(navigation.PAGES)
    assert Path(layout.ICON).is_file()


@pytest.mark.parametrize("path", [*PAGES, ROOT / "app.py"], ids=lambda path: path.name)
def test_pages_stay_short_and_import_downwards(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= (40 if path.name == "app.py" else 120)
    assert not [name for name in imported(path) if name.split(".")[0] in ("pages", "app", "torch")]


# What must have one home: a pattern of source text, and the only files that may hold it.
ONE_WAY = {
    "the path of the model that ships": (r"""["']cnn-mnist["']""", {"prediction/shipped.py"}),
    "the grammar of references to networks": (r"@\(|\.partition\(\"@\"\)|\.split\(\"@\"\)", {"settings/reference.py"}),
    "normalization": (r"-\s*mean\b[^\n]*/\s*std|\.std\b.*\.mean\b", {"datasets/device_dataset.py"}),
    "batched logits": (r"torch\.cat\(\[model\(", {"prediction/logits.py"}),
    "PNG encoding": (r"""format=["']PNG["']|imwrite""", {"plots/png.py"}),
    "active states": (r"RunState\.STARTING[^\n]*RunState\.RUNNING|'starting', 'running'", {"runs/records.py"}),
}


@pytest.mark.parametrize("what", list(ONE_WAY))
def test_there_is_one_way(what: str) -> None:
    pattern, home = ONE_WAY[what]
    found = {str(path.relative_to(PACKAGE)) for path in SOURCES if re.search(pattern, path.read_text("utf-8"))}
    assert found == home, f"{what} is expected in {home}, found in {found}"


def test_unit_tests_mirror_the_package() -> None:
    unit = ROOT / "tests" / "unit"
    strangers = []
    for path in sorted(unit.rglob("test_*.py")):
        place = path.relative_to(unit)
        module = PACKAGE / place.parent / f"{place.stem.removeprefix('test_')}.py"
        package = PACKAGE / place.parent / place.stem.removeprefix("test_") / "__init__.py"
        if not module.is_file() and not package.is_file() and len(place.parts) > 1:
            strangers.append(str(place))
    assert not strangers, f"tests of no module: {strangers}"


def test_no_function_says_only_that_it_does_something() -> None:
    bare = re.compile(r"^def (show|read|move|which|mine|likes|choose|look|block|key)\(", re.MULTILINE)
    assert [str(path.relative_to(ROOT)) for path in SOURCES if bare.search(path.read_text("utf-8"))] == []


def test_files_hold_one_thing() -> None:
    long = {
        str(path.relative_to(ROOT)): n for path in SOURCES if (n := len(path.read_text("utf-8").splitlines())) > 400
    }
    assert long == {}
