"""The `microgen` command: one file a command, straight lines from flags to the public functions of the library."""
