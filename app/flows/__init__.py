"""One verb a file, sorted into rooms by its noun. What all rooms stand on stays in this one."""
