"""vedette.DeviceMonitor: metrics to CloudWatch, the health of the device, jobs."""
