from .differences import (
    independent as independent,
    paired as paired,
)
from .result import (
    load_result as load_result,
)
from .run import (
    SideBySide as SideBySide,
    compare_results as compare_results,
    write_side_by_side as write_side_by_side,
)
