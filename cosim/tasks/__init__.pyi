from .cache import (
    working_folder as working_folder,
)
from .characters import (
    CharacterTask as CharacterTask,
)
from .fetch import (
    deb_members as deb_members,
)
from .fetch import (
    download_debs as download_debs,
)
from .fetch import (
    download_npm as download_npm,
)
from .fetch import (
    download_pypi_source as download_pypi_source,
)
from .fetch import (
    find_debs as find_debs,
)
from .fetch import (
    members as members,
)
from .fetch import (
    read_checked as read_checked,
)
from .provenance import (
    Provenance as Provenance,
)
from .provenance import (
    listing_digest as listing_digest,
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
