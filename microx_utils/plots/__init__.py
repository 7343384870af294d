"""Every chart and drawing, in one style."""
