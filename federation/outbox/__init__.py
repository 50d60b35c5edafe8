"""The outbox: sealed letters of this centre's authorities, from acceptance to receipt."""
