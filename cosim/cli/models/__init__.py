"""Commands of ramp models."""
