"""Addresses of the centre itself, on the host name that belongs to no municipality."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [path("", include("tenants.web.urls_public"))]

handler404 = "tenants.web.views.centre.not_found"
handler500 = "tenants.web.views.errors.server_error"
