"""The tasks a network is trained and judged on.

`load_task`, `load_characters` and `load_data` (either kind) read what is here, `get_task` fetches or makes what is not.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
