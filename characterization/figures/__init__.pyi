from .enob import (
    sine_test as sine_test,
)
from .inl_dnl import (
    codes as codes,
    inl_input as inl_input,
)
