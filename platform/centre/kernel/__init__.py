"""Pure words that every room shares: identifiers, time, actors, errors."""
