"""The eight steps from selected frames to coadds."""
