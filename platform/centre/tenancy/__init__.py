"""Tenants that cannot leak: one context variable decides, the database connection follows.

`context` says in whose name the program acts; `backend` makes every statement run in that schema
and under that database role, and refuses what does not fit; `routing` marks rows with the schema
they came from; `operations` and `fields` protect the tables that several tenants share.
"""
