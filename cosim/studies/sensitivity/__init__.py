"""Study sensitivity: what gradients through the circuit are good for, each use held against doing without."""
