"""Other libraries doing the same work, each in an environment of its own that is made when it is first asked for."""
