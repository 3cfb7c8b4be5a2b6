"""Study nladc-calibration: what calibration gives back to chips with faults."""
