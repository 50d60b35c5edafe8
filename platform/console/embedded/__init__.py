"""PostgreSQL and Valkey as children of ours: the one-machine default, with no server to install."""
