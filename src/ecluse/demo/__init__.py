"""The demo: a synthetic agency, its register, its contractors and one working day, on the real gate. Not a fixture: the same code serves for real."""
