from .cells import (
    BACKPROP as BACKPROP,
)
from .kernels import (
    adam_update as adam_update,
)
from .packing import (
    Packing as Packing,
)
from .symbols import (
    FoldedEmbedding as FoldedEmbedding,
    one_hot as one_hot,
)
from .tape import (
    Disturbance as Disturbance,
    NONE as NONE,
)
from .workspace import (
    Workspace as Workspace,
)
