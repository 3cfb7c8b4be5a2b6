"""Study demo: from the netlist through ngspice to an LSTM's accuracy on real speech."""
