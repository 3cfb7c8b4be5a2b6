from .path import (
    TiledPath as TiledPath,
    in_tiles as in_tiles,
    run_tiled_network as run_tiled_network,
    tiled as tiled,
)
