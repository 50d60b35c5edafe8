"""Migrations of a version of the program that never was."""
