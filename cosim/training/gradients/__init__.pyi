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
    NONE as NONE,
    Disturbance as Disturbance,
    learned_format as learned_format,
)
from .workspace import (
    Workspace as Workspace,
)
