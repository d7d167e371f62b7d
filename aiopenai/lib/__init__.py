"""What resources offer beyond one HTTP call each; imported when first called."""
