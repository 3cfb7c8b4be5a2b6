"""Commands of circuits: decks, simulations, measured blocks."""
