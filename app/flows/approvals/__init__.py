"""What needs a second person: proposed, endorsed, decided, carried out."""
