"""Applications whose templates are written by a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from atlas import Application, Request


def asking(app: Application, **scope: Any) -> Any:
    """A request of an application."""
    whole = {"type": "http", "method": "GET", "path": "/", "headers": [], **scope}
    return Request(app, whole, lambda: None)  # type: ignore[arg-type, return-value]


def write(app: Application, **files: str) -> None:
    """Write templates, whose names get the ending ``.html``."""
    for name, text in files.items():
        (Path(app.templates.environment.loader.searchpath[0]) / f"{name}.html").write_text(text)  # type: ignore[union-attr]


def text_of(app: Application, template: str, request: Any = None, **context: Any) -> str:
    """Render the text of a template."""
    name = f"it{len(app.templates.environment.list_templates())}"  # a new one each time: templates are kept
    write(app, **{name: template})
    return app.templates.render(request or asking(app), f"{name}.html", context)
