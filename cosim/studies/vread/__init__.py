"""Study vread: a ramp made in memory follows the read voltage."""
