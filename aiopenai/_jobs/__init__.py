"""Many calls as one job: limiter, lines, files, progress, the Batch API."""
