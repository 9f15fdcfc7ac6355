"""Photo and labels to colour, as pure functions and state of tensors."""
