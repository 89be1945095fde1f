"""A second, independent generator: spandsp's transmitters through cffi. None where libspandsp is not installed."""

from __future__ import annotations

import cffi
import numpy as np

CLASS, CLIP = 1, 2  # Bell 202 (GR-30), V.23 (ETSI)

_FFI = cffi.FFI()
_FFI.cdef("""
typedef struct adsi_tx_state_s adsi_tx_state_t;
adsi_tx_state_t *adsi_tx_init(adsi_tx_state_t *s, int standard);
int adsi_tx(adsi_tx_state_t *s, int16_t amp[], int max_len);
int adsi_tx_put_message(adsi_tx_state_t *s, const uint8_t *msg, int len);
int adsi_add_field(adsi_tx_state_t *s, uint8_t *msg, int len, uint8_t type, const uint8_t *body, int body_len);
int adsi_tx_free(adsi_tx_state_t *s);
typedef struct dtmf_tx_state_s dtmf_tx_state_t;
dtmf_tx_state_t *dtmf_tx_init(dtmf_tx_state_t *s);
int dtmf_tx(dtmf_tx_state_t *s, int16_t amp[], int max_samples);
size_t dtmf_tx_put(dtmf_tx_state_t *s, const char *digits, int len);
int dtmf_tx_free(dtmf_tx_state_t *s);
""")
try:
    _LIB = _FFI.dlopen("libspandsp.so.2")  # 3.x has other signatures
except OSError:
    _LIB = None

available = _LIB is not None


def _drain(transmit):
    block, out = _FFI.new("int16_t[160]"), []
    while (count := transmit(block, 160)) > 0:
        out.append(np.frombuffer(_FFI.buffer(block, 2 * count), np.int16).copy())
    return np.concatenate([np.zeros(2000, np.int16), *out, np.zeros(2000, np.int16)])


def caller_id(standard, kind, *fields):
    """The sound of a message of type ``kind`` with ``fields`` (type, value)."""
    state = _FFI.gc(_LIB.adsi_tx_init(_FFI.NULL, standard), _LIB.adsi_tx_free)
    message = _FFI.new("uint8_t[256]")
    length = _LIB.adsi_add_field(state, message, -1, kind, _FFI.NULL, 0)
    for field, value in fields:
        length = _LIB.adsi_add_field(state, message, length, field, value, len(value))
    _LIB.adsi_tx_put_message(state, message, length)
    return _drain(lambda block, count: _LIB.adsi_tx(state, block, count))


def dtmf(digits):
    state = _FFI.gc(_LIB.dtmf_tx_init(_FFI.NULL), _LIB.dtmf_tx_free)
    _LIB.dtmf_tx_put(state, digits.encode(), -1)
    return _drain(lambda block, count: _LIB.dtmf_tx(state, block, count))
