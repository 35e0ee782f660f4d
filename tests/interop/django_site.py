"""The site of the interop tests in Django, with its CSRF protection on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

FILE: Path | None = None
"""What ``/download`` sends; Django's configuration is one per process, so is this."""


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "page.html", {"title": "Django & friends", "items": range(3)})


def form(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return HttpResponseRedirect(f"/hello?name={request.POST['name']}", status=303)
    token = get_token(request)
    hidden = f'<input type="hidden" name="csrfmiddlewaretoken" value="{token}">'
    return HttpResponse(f'<form method="post">{hidden}<input name="name"></form>')


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Hello {request.GET['name']}", content_type="text/plain")


@csrf_exempt
def json_(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"got": json.loads(request.body), "agent": "User-Agent" in request.headers})


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[str]:
        for number in range(50):
            yield f"line {number}\n"

    return StreamingHttpResponse(pieces(), content_type="text/plain")


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    body = request.body
    return JsonResponse({"size": len(body), "sha256": hashlib.sha256(body).hexdigest()})


def download(request: HttpRequest) -> FileResponse:
    assert FILE is not None
    return FileResponse(FILE.open("rb"), as_attachment=True, filename="data.bin")


urlpatterns = [
    path("", page),
    path("form", form),
    path("hello", hello),
    path("json", json_),
    path("stream", stream),
    path("upload", upload),
    path("download", download),
]


def make(file: Path, noted: Any) -> Any:
    """The site; *file* is what ``/download`` sends. Django has neither background tasks nor a lifespan."""
    global FILE
    FILE = file
    if not settings.configured:
        settings.configure(
            SECRET_KEY="only for tests",
            ALLOWED_HOSTS=["127.0.0.1"],
            ROOT_URLCONF=__name__,
            DATA_UPLOAD_MAX_MEMORY_SIZE=10_000_000,
            MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
            TEMPLATES=[
                {
                    "BACKEND": "django.template.backends.django.DjangoTemplates",
                    "DIRS": [Path(__file__).parent / "pages"],
                }
            ],
        )
        django.setup()
    return get_asgi_application()
