"""Files of strangers, read in processes apart from the service (see `worker`)."""
