"""The box as a whole, when it runs from its own image: updates, first start, network, address. Nothing here records."""
