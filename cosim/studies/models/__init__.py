"""Study models: fitted ramp models against held-out SPICE and against transistors."""
