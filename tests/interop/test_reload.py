"""Applications of other frameworks under ``--reload``, as under uvicorn: an edit is served by the next process."""

from pathlib import Path

import pytest

from tests.server.reload.served import serving

FASTAPI = """
from contextlib import asynccontextmanager
from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    app.state.word = "{word}"
    yield
    print("shutdown", app.state.word, flush=True, file=__import__("sys").stderr)

app = FastAPI(lifespan=lifespan)

@app.get("/")
async def home():
    return {{"word": app.state.word}}
"""
STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def home(request):
    return PlainTextResponse("{word}")

app = Starlette(routes=[Route("/", home)])
"""
LITESTAR = """
from litestar import Litestar, get

@get("/")
async def home() -> str:
    return "{word}"

def app():
    return Litestar([home])
"""
DJANGO = """
import sys
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="s", DEBUG=True)

def home(request):
    return HttpResponse("{word}")

urlpatterns = [path("", home)]
app = get_asgi_application()
"""


@pytest.mark.parametrize(
    ("source", "flags"),
    [
        pytest.param(FASTAPI, [], id="fastapi"),
        pytest.param(STARLETTE, [], id="starlette"),
        pytest.param(LITESTAR, ["--factory"], id="litestar"),
        pytest.param(DJANGO, [], id="django"),
    ],
)
def test_an_edit_is_served(tmp_path: Path, source: str, flags: list[str], request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.id
    pytest.importorskip(name)
    (tmp_path / "main.py").write_text(source.format(word="one"))
    with serving(tmp_path, "main:app", "--reload", "--port", "0", *flags) as served:
        served.wait_ready()
        assert "one" in served.get()
        (tmp_path / "main.py").write_text(source.format(word="two and more"))
        served.wait_for("'main.py' changed: restarting")
        if name == "fastapi":
            served.wait_for("^shutdown one$")
        served.wait_ready()
        assert "two and more" in served.get()
        assert served.stop() == 0
        assert "Traceback" not in served.rest()
