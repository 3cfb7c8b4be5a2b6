from .enob import (
    sine_test as sine_test,
)
from .inl_dnl import (
    codes as codes,
    dnl as dnl,
    inl_input as inl_input,
    inl_output as inl_output,
    is_monotonic as is_monotonic,
    missing_codes as missing_codes,
    offset_and_gain as offset_and_gain,
)
