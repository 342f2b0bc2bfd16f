from infrastructure.apps import ContextConfig


class ReportingConfig(ContextConfig):
    name = "domains.reporting"
    label = "reporting"
