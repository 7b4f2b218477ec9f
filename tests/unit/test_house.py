"""Rules of the house that pages must keep: light imports, short files, known settings, files that exist."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit import config

from cnn_demo.ui.shared import layout, navigation

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest there

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "pages").rglob("*.py"))


def flat(table: dict, prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, value in table.items():
        keys += flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
    return keys


def test_every_setting_of_the_server_still_exists() -> None:
    settings = flat(tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8")))
    assert "runner.postScriptGC" in settings  # hidden: not in the documentation, so it may go without notice
    known = config.get_config_options()
    assert [key for key in settings if key not in known] == []


def test_ui_imports_nothing_heavy() -> None:
    modules = sorted(p.stem for p in (ROOT / "cnn_demo" / "ui").glob("*.py") if p.stem != "__init__")
    code = "import sys\n" + "".join(f"import cnn_demo.ui.{name}\n" for name in modules)
    code += "heavy = {'torch', 'torchvision', 'matplotlib', 'captum'} & set(sys.modules)\nassert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=ROOT)


def test_pages_in_the_menu_exist_and_no_page_lies_directly_in_the_folder() -> None:
    assert sorted(ROOT / entry.path for entry in navigation.PAGES) == PAGES
    assert list((ROOT / "pages").glob("*.py")) == []
    assert len({Path(entry.path).stem for entry in navigation.PAGES}) == len(navigation.PAGES)
    assert Path(layout.ICON).is_file()


@pytest.mark.parametrize("path", [*PAGES, ROOT / "app.py"], ids=lambda path: path.name)
def test_pages_stay_short_and_import_downwards(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= (40 if path.name == "app.py" else 120)
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if name.split(".")[0] in ("pages", "app", "torch")]
