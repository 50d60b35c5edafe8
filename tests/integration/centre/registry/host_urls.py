"""A page that tells where it is."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from centre.tenancy.context import current_tenant


def where(request: HttpRequest) -> HttpResponse:
    tenant = current_tenant()
    return HttpResponse(tenant.slug if tenant else "centre")


urlpatterns = [path("", where)]
