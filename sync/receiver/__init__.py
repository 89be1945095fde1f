"""The cloud side: takes calls and recordings of many boxes, keeps each exactly once, and only then says so."""
