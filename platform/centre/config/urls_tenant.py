"""Addresses of a municipality, on its own host name."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [path("", include("tenants.web.urls"))]

handler400 = "tenants.web.views.errors.bad_request"
handler403 = "tenants.web.views.errors.permission_denied"
handler404 = "tenants.web.views.errors.page_not_found"
handler500 = "tenants.web.views.errors.server_error"
