package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/logs"
)

// A pointer names the audit record, and has nothing of what was called with.
func TestPointer(t *testing.T) {
	now := time.Now()
	got := pointer(audit.Event{
		EventID: "id", EventSource: "ssm.amazonaws.com", EventName: "PutParameter", RequestID: "r", SourceIPAddress: "192.0.2.1", ErrorCode: "AccessDenied",
		ErrorMessage: "of the secret", UserIdentity: audit.UserIdentity{Type: "IAMUser", ARN: "arn:aws:iam::000000000000:user/anna"},
		RequestParameters: map[string]any{"value": "secret"}, Resources: []audit.Resource{{ARN: "arn:aws:ssm:us-east-1:000000000000:parameter/p"}},
	}, now)
	want := logs.Record{
		Time: now, Group: "/dropstack/audit", Stream: "ssm", Request: "r", Message: "ssm:PutParameter by arn:aws:iam::000000000000:user/anna: AccessDenied",
		Fields: []logs.Field{
			{Name: "eventID", Value: "id"},
			{Name: "eventSource", Value: "ssm.amazonaws.com"},
			{Name: "eventName", Value: "PutParameter"},
			{Name: "principal", Value: "arn:aws:iam::000000000000:user/anna"},
			{Name: "errorCode", Value: "AccessDenied"},
			{Name: "sourceIPAddress", Value: "192.0.2.1"},
			{Name: "resource", Value: "arn:aws:ssm:us-east-1:000000000000:parameter/p"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want - got +\n%s", diff)
	}
}
