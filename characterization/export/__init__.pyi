from .converter import (
    StaticConverter as StaticConverter,
    of_chip as of_chip,
    of_corner as of_corner,
)
