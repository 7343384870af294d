"""The shipped model on any video: `microx predict`.

In reading order: `tracks` follows every face of a video, `answers` says what the model makes of each, `drawing` shows
it as a timeline and as a video.
"""
