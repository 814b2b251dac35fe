"""Who may do what at the broker and in the databases, compared with what should be, and set right."""
