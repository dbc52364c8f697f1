"""vedette.CameraIngest: reads cameras into rings."""
