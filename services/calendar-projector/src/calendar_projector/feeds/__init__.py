"""Secret addresses under which calendar apps read a person's calendar."""
