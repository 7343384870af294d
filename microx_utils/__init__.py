"""MicroX: facial components in video, one ConvLSTM block each, seven labelled expressions.

The modules stand in pipeline order: corpora, video, landmarks and openface, components, segments, models,
training, evaluation, plots. Each is imported by name: `from microx_utils import components`.
"""
