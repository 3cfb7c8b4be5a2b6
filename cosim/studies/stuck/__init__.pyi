from .tables import (
    yield_row as yield_row,
)
