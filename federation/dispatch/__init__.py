"""The process that carries letters from the outbox to other centres. See `federation/README.md`."""
