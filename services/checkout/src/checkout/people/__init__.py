"""People: contact data, practitioners' public profiles, erasures. Other services keep copies, by their topics."""
