"""MicroX: facial components in video, one ConvLSTM block each, seven labelled expressions."""
