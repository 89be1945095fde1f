"""What each rule of the call machine does: pure functions from a state and an event to the next state and effects.

One module per stretch of a call's life; `firmware.call_machine.TABLE` says when each of them is used.
"""
