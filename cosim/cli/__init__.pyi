from .signals import (
    main as main,
)
