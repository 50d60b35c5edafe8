"""Clerks: the people of one municipality who may sign in, and what they may do."""
