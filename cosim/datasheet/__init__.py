"""Datasheets of a designer's own blocks: measured over conditions and mismatch, held against limits, with a block file.

==================  =====================================================================================
what is asked       `settings`
what is measured    `run`; the benches are in `characterization.transistors`
what comes of it    `figures` (the datasheet's table and its limits), `pictures`, `page`, `markdown`
==================  =====================================================================================
"""
