"""The page of a localization: stored maps held against boxes."""
