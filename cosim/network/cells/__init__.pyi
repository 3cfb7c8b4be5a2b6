from .alrnn import (
    ALRNN as ALRNN,
)
from .cell import (
    Cell as Cell,
    Datapath as Datapath,
    Gate as Gate,
    Matrix as Matrix,
    State as State,
    Weights as Weights,
    build as build,
)
from .diagonal import (
    DiagonalGRU as DiagonalGRU,
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
    make_cell as make_cell,
)
from .slstm import (
    SLSTM as SLSTM,
)
from .vanilla import (
    Vanilla as Vanilla,
)
