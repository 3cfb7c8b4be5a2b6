from .fields import (
    Counts as Counts,
)
from .fields import (
    Numbers as Numbers,
)
from .fields import (
    Words as Words,
)
from .page import (
    Page as Page,
)
from .page import (
    Section as Section,
)
from .page import (
    cell as cell,
)
from .page import (
    percent as percent,
)
from .pictures import (
    BEFORE as BEFORE,
)
from .pictures import (
    IDEAL as IDEAL,
)
from .pictures import (
    MEASURED as MEASURED,
)
from .pictures import (
    new_figure as new_figure,
)
from .pictures import (
    save_figure as save_figure,
)
from .published import (
    Beside as Beside,
)
from .published import (
    beside as beside,
)
from .registry import (
    PAGES as PAGES,
)
from .registry import (
    write_report as write_report,
)
from .settings import (
    Run as Run,
)
from .settings import (
    Study as Study,
)
from .settings import (
    StudySettings as StudySettings,
)
from .settings import (
    describe_settings as describe_settings,
)
from .settings import (
    load_settings as load_settings,
)
from .tables import (
    read_table as read_table,
)
