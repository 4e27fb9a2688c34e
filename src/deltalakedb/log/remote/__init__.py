"""Object stores: S3, Google Cloud Storage, Azure. Imported when a location is in one."""
