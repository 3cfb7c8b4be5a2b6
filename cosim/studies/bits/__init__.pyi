from .networks import (
    PLAIN as PLAIN,
)
from .page import (
    Reader as Reader,
    bits_page as bits_page,
    describe as describe,
)
from .run import (
    Kind as Kind,
    check_tasks as check_tasks,
    run_bits as run_bits,
    where_present as where_present,
)
from .settings import (
    BitsSettings as BitsSettings,
)
from .tables import (
    Judge as Judge,
)
