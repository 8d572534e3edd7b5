"""What this app's views take and answer, by subject, for the document of the API."""
