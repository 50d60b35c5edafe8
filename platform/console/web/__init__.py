"""The web process: gunicorn, health doors and metrics around the centre's pages."""
