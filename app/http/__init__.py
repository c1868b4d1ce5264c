"""Around every request: what happens before a view sees it and after it has answered."""
