from django.urls import path

from infrastructure.operations.api import views

_ONE = "api/v1/operations/<uuid:operation_id>"

urlpatterns = [
    path("api/v1/operations", views.Operations.as_view(), name="operations"),
    path(_ONE, views.OperationDetail.as_view(), name="operation"),
    path(f"{_ONE}/faults", views.OperationFaults.as_view(), name="operation-faults"),
    path(f"{_ONE}/cancel", views.OperationCancel.as_view(), name="operation-cancel"),
    path(f"{_ONE}/result", views.OperationResult.as_view(), name="operation-result"),
]
