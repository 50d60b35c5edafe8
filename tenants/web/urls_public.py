"""Addresses on the centre's own host name."""

from django.urls import path

from tenants.web.views import centre

urlpatterns = [
    path("", centre.index, name="centre"),
    path("kommunen/", centre.municipalities, name="municipalities"),
]
