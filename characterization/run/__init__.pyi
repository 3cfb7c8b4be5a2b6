from .chunks import (
    ChunkStore as ChunkStore,
)
from .folder import (
    RunStatus as RunStatus,
)
from .folder import (
    read_manifest as read_manifest,
)
from .folder import (
    run_status as run_status,
)
from .montecarlo import (
    BATCH as BATCH,
)
from .montecarlo import (
    characterize as characterize,
)
from .montecarlo import (
    check_counts as check_counts,
)
from .montecarlo import (
    load_run as load_run,
)
from .montecarlo import (
    simulate_run as simulate_run,
)
from .progress import (
    CHUNK_SAMPLES as CHUNK_SAMPLES,
)
from .rows import (
    measured_rows as measured_rows,
)
from .tables import (
    Run as Run,
)
from .tables import (
    write_tables as write_tables,
)
from .task import (
    load as load,
)
from .task import (
    simulate_samples as simulate_samples,
)
