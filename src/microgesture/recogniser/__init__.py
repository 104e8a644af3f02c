"""Export a trained ensemble as one folder, and use it to find gestures in new videos."""
