"""Commands of Monte Carlo runs and of what they leave."""
