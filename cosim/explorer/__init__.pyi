from .folder import (
    Found as Found,
    look_into as look_into,
)
from .page import (
    page_text as page_text,
    write_page as write_page,
)
from .server import (
    serve as serve,
)
