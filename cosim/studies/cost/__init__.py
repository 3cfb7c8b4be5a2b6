"""Study cost: energy from SPICE, energy, time and area of networks, the published table."""
