from .path import (
    LEAST_ROWS as LEAST_ROWS,
    fits_tiles as fits_tiles,
    row_tables as row_tables,
    tiled_run as tiled_run,
)
from .product import (
    Tables as Tables,
)
