"""The street outside the box: a central office, phones, people talking and a SIM network."""
