"""Study learned-ramps: accuracy against bits of ramps that are uniform, fitted to data, or learned with the network."""
