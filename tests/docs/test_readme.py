"""The first application of README.md works as it is typed."""

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_first_application_works_as_typed(tmp_path: Path) -> None:
    chapter = README.read_text(encoding="utf-8").partition("## A first application\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", chapter, re.DOTALL)
    (console,) = re.findall(r"```console\n(.*?)```", chapter, re.DOTALL)
    name = code.partition("\n")[0].removeprefix("# ")
    (tmp_path / name).write_text(code, encoding="utf-8")
    serve, serving, curl, answer = console.splitlines()
    assert serve.startswith("$ atlas ")
    command = [sys.executable, "-m", "atlas", *serve.split()[2:]]
    environ = {**os.environ, "ATLAS_SERVE_PORT": "0"}  # 8000 may be in use
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline().rstrip("\n")
            assert re.sub(r":\d+ ", ":8000 ", line) == serving
            url = curl.split()[-1].replace(":8000", re.findall(r":\d+", line)[-1])
            with urllib.request.urlopen(url, timeout=10) as response:
                assert response.read().decode() == answer
        finally:
            process.terminate()
    assert process.returncode == 0
