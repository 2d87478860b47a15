"""Speed measured side by side with peers, in one run on one machine; never timed inside tests."""
