"""Addresses of the centre itself, on the host name that belongs to no municipality."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
