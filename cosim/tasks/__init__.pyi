from .characters import (
    CharacterTask as CharacterTask,
)
from .provenance import (
    Provenance as Provenance,
)
from .registry import (
    TASKS as TASKS,
)
from .registry import (
    get_task as get_task,
)
from .registry import (
    is_here as is_here,
)
from .registry import (
    load_characters as load_characters,
)
from .registry import (
    load_data as load_data,
)
from .registry import (
    load_task as load_task,
)
from .sequences import (
    SequenceSet as SequenceSet,
)
from .task import (
    Task as Task,
)
