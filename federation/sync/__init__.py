"""The shared directory on its way: served by every gateway, fetched by every centre.

A snapshot is trusted for its signature, so it may come from anywhere: from the umbrella first,
from any other centre when the umbrella cannot be reached.
"""
