"""What prefect.yaml cannot say: block set-up and automations."""
