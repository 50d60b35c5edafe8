"""Who did what to which case, in a chain that shows every later change."""
