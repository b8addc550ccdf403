"""HTTP: a handler parses, calls one use case, and renders. No rule lives here."""
