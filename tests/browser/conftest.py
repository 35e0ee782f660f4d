"""A real Chromium, and the forum served by a real ``atlas serve`` with a database of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FORUM = Path(__file__).parents[2] / "examples" / "forum"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the forum, served while the module's tests run; it has to stop in peace afterwards."""
    command = [sys.executable, "-m", "atlas", "serve", "--app-dir", str(FORUM), "main:app", "--port", "0"]
    command += ["--no-access-log", "--timeout-graceful-shutdown", "1"]
    env = {**os.environ, "FORUM_FOLDER": str(tmp_path_factory.mktemp("forum"))}
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env)
    assert server.stderr is not None
    told = []
    try:
        for line in server.stderr:
            told.append(line)
            if found := re.search(r"http://[\d.]+:\d+", line):
                yield found[0]
                break
        else:
            pytest.fail("".join(told))
    finally:
        server.terminate()
        _, rest = server.communicate(timeout=20)
    assert server.returncode == 0, rest
    assert "Traceback" not in rest, rest


@pytest.fixture(scope="module")
def chrome(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser for all tests of the module; to start one takes its time."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    chromedriver = shutil.which("chromedriver")
    if chromedriver is None:
        pytest.skip("chromedriver is not installed on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(chromedriver))
    yield driver
    driver.quit()
