"""Events, and who works at them."""
