from .run import (
    yield_row as yield_row,
)
