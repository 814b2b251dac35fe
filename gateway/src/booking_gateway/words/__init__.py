"""What pages say, in the language and the zone of who looks."""
