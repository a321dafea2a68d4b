"""A methods section and a bibliography for whoever writes the study up, from what its folder records."""
