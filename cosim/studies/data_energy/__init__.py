"""Study data-energy: energy and time of an inference by its data."""
