"""Files with many requests: bring one in, look at what it says, submit, watch."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    return render(request, "web/imports.html", {"section": "imports"})
