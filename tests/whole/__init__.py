"""The whole box with the street outside, its faults, and what the person sees of them."""
