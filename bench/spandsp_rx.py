"""spandsp's receivers through cffi, as the other benches' yardstick. Not a bench itself."""

from __future__ import annotations

import cffi
import numpy as np

CLASS, CLIP = 1, 2  # Bell 202 (GR-30), V.23 (ETSI)

_FFI = cffi.FFI()
_FFI.cdef("""
typedef struct dtmf_rx_state_s dtmf_rx_state_t;
typedef struct adsi_rx_state_s adsi_rx_state_t;
typedef void (*digits_rx_callback_t)(void *user_data, const char *digits, int len);
typedef void (*put_msg_func_t)(void *user_data, const uint8_t *msg, int len);
dtmf_rx_state_t *dtmf_rx_init(dtmf_rx_state_t *s, digits_rx_callback_t cb, void *ud);
void dtmf_rx_parms(dtmf_rx_state_t *s, int filter_dialtone, int twist, int reverse_twist, int threshold);
int dtmf_rx(dtmf_rx_state_t *s, const int16_t amp[], int samples);
size_t dtmf_rx_get(dtmf_rx_state_t *s, char *digits, int max);
int dtmf_rx_free(dtmf_rx_state_t *s);
adsi_rx_state_t *adsi_rx_init(adsi_rx_state_t *s, int standard, put_msg_func_t put_msg, void *ud);
int adsi_rx(adsi_rx_state_t *s, const int16_t amp[], int len);
int adsi_rx_free(adsi_rx_state_t *s);
""")
try:
    _LIB = _FFI.dlopen("libspandsp.so.2")  # 3.x has other signatures
except OSError:
    _LIB = None

available = _LIB is not None
TUNED = (1, 12, 8, -45)
"""Filter the dial tone out, twist and reverse twist in dB, threshold in dBm0."""


def digits(pcm: np.ndarray, parameters: tuple[int, int, int, int] | None = None) -> str:
    state = _FFI.gc(_LIB.dtmf_rx_init(_FFI.NULL, _FFI.NULL, _FFI.NULL), _LIB.dtmf_rx_free)
    if parameters is not None:
        _LIB.dtmf_rx_parms(state, *parameters)
    heard, buffer = [], _FFI.new("char[]", 129)
    for start in range(0, len(pcm), 160):
        block = np.ascontiguousarray(pcm[start : start + 160])
        _LIB.dtmf_rx(state, _FFI.from_buffer("int16_t[]", block), len(block))
        count = _LIB.dtmf_rx_get(state, buffer, 128)
        heard.append(_FFI.string(buffer, count).decode() if count else "")
    return "".join(heard)


@_FFI.callback("put_msg_func_t")
def _message(handle, message, count) -> None:
    if count > 0:
        _FFI.from_handle(handle).append(bytes(_FFI.buffer(message, count)))


def messages(pcm: np.ndarray, standard: int) -> list[bytes]:
    heard: list[bytes] = []
    handle = _FFI.new_handle(heard)
    state = _FFI.gc(_LIB.adsi_rx_init(_FFI.NULL, standard, _message, handle), _LIB.adsi_rx_free)
    for start in range(0, len(pcm), 160):
        block = np.ascontiguousarray(pcm[start : start + 160])
        _LIB.adsi_rx(state, _FFI.from_buffer("int16_t[]", block), len(block))
    return heard


if __name__ == "__main__":
    print("a yardstick for the other benches; nothing to measure here")
