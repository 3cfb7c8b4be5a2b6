from .cell import (
    Cell as Cell,
)
from .cell import (
    Datapath as Datapath,
)
from .cell import (
    Gate as Gate,
)
from .cell import (
    Matrix as Matrix,
)
from .cell import (
    State as State,
)
from .cell import (
    build as build,
)
from .cell import (
    checked_array as checked_array,
)
from .diagonal import (
    DiagonalGRU as DiagonalGRU,
)
from .diagonal import (
    DiagonalLSTM as DiagonalLSTM,
)
from .gru import (
    GRU as GRU,
)
from .lstm import (
    LSTM as LSTM,
)
from .registry import (
    CELLS as CELLS,
)
from .registry import (
    make_cell as make_cell,
)
from .slstm import (
    SLSTM as SLSTM,
)
from .vanilla import (
    Vanilla as Vanilla,
)
