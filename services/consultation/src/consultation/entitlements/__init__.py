"""What a member may ask for: the paid Transaction and the assessment, as other services told them."""
