"""One face per provider: its wire format over the world behind it."""
