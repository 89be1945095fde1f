"""Pure decoders of what a telephone line carries: caller ID, digits, cadences."""
