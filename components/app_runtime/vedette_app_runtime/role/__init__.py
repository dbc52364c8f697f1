"""The AWS role of an application: what it finds where its SDK looks for credentials, with a role and without."""
