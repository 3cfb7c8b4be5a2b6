"""Faults by command: kills, full disks, damage; ``make faults``."""
