"""Documents that go with the messages of cases."""
