"""From image files to an ImageStore: decode, bring to one size, write as one array; augment on the device."""
