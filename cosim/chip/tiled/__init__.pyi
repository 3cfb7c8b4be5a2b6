from .path import (
    TiledPath as TiledPath,
    fits_tiles as fits_tiles,
    in_tiles as in_tiles,
    run_tiled_network as run_tiled_network,
)
