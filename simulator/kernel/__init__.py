"""The street's wires on a real Linux kernel with simulated hardware: GPIO chip, sound cards, USB modules."""
