"""What a study's page shows as files for a paper: its tables and its figures."""
