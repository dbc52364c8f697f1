"""Programs that run in a converter's own environment, each by its path; nothing here is imported by Vedette itself."""
