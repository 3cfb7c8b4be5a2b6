"""Studies: each simulates one question end to end and writes tables, pictures, a page and a summary into its results folder."""
