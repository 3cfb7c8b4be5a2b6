from .path import (
    fits_tiles as fits_tiles,
    tiled_run as tiled_run,
)
