"""Runs every process of every centre of one computer, and stops them in a good order.

`Supervisor` holds a `CentreRunner` for each centre, which holds a `Service` for each engine and
process. A second terminal asks it through `control`: stop this centre, start it, how are you?

Who dies is started again, with growing pauses. Stopping goes by stages across all centres: who
still sends or works drains first, then who receives, the engines last.
"""
