"""Words: Jinja2 templates and their rendering to mails ready for SMTP; nothing here decides or sends."""
