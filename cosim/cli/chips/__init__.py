"""Commands of Monte Carlo runs."""
