"""Sees to a Chromium for the browser tests: the one that is here, Debian's by apt, or Playwright's own.

``make test`` runs this first. Whatever happens, it ends well outside CI: without a browser those tests are skipped with
a reason. With ``CI=true`` a missing browser is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def system_chromium() -> str | None:
    """The browser of this system, or the one that ``CHROMIUM`` names."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def playwright_chromium() -> str | None:
    """Playwright's own browser, when it has been downloaded."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else None


def find() -> str | None:
    """The path of a Chromium, or None."""
    return system_chromium() or playwright_chromium()


def install() -> None:
    """Try what is possible here, quietly."""
    apt = shutil.which("apt-get")
    if apt and hasattr(os, "geteuid") and os.geteuid() == 0:
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([apt, "update", "-qq"], env=env, check=False)
        # fonts-noto-cjk: the pages are tested in Chinese too
        subprocess.run([apt, "install", "-y", "-qq", "chromium", "fonts-noto-cjk"], env=env, check=False)
    if not find():
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def main() -> int:
    if not find():
        print("No Chromium here: trying to install one for the browser tests.", flush=True)
        install()
    path = find()
    if path:
        print(f"Chromium for the browser tests: {path}")
        return 0
    print(
        "No Chromium could be installed, so the browser tests will be skipped. By hand: `apt-get install chromium`, "
        "`python -m playwright install chromium`, or CHROMIUM=/path/to/chrome."
    )
    return 1 if in_ci() else 0


if __name__ == "__main__":
    sys.exit(main())
