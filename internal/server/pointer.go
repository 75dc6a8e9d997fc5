package server

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/logs"
)

// auditGroup is the log group of pointers to audit records.
const auditGroup = "/dropstack/audit"

// deploysGroup is the log group of deployments.
const deploysGroup = "/dropstack/deploys"

// deploymentRecord tells what became of a revision, beside what its functions log.
func deploymentRecord(r *deploy.Revision, failed error, now time.Time) logs.Record {
	out := logs.Record{
		Time: now, Group: deploysGroup, Stream: r.Stack, Message: "deployed " + r.Stack + ": " + r.Describe(),
		Fields: []logs.Field{{Name: "stack", Value: r.Stack}, {Name: "revision", Value: r.ID}, {Name: "result", Value: "succeeded"}},
	}
	if r.Restores != "" {
		out.Fields = append(out.Fields, logs.Field{Name: "restores", Value: r.Restores})
	}
	if failed != nil {
		out.Message = "could not deploy " + r.Stack + ", the revision before serves on: " + failed.Error()
		out.Fields[2].Value = "failed"
	}
	return out
}

// pointedTrail is the audit log, of whose records there is one each in the log store
// that points to it: one search finds what was done beside what was logged. It has
// nothing of a call but who made it, what it was about and what came of it.
type pointedTrail struct {
	*audit.Log
	logs logs.Appender
}

// Append answers once the audit record is on disk.
func (t pointedTrail) Append(ctx context.Context, e audit.Event) error {
	e.EventID = cmp.Or(e.EventID, uuid.NewString())
	if err := t.Log.Append(ctx, e); err != nil {
		return err
	}
	t.logs.Append(pointer(e, time.Now()))
	return nil
}

func pointer(e audit.Event, now time.Time) logs.Record {
	service, _, _ := strings.Cut(e.EventSource, ".")
	who := cmp.Or(e.UserIdentity.ARN, e.UserIdentity.InvokedBy, e.UserIdentity.Type)
	r := logs.Record{
		Time: now, Group: auditGroup, Stream: service, Request: e.RequestID,
		Message: service + ":" + e.EventName + " by " + who + ": " + cmp.Or(e.ErrorCode, "done"),
	}
	field := func(name, value string) {
		if value != "" {
			r.Fields = append(r.Fields, logs.Field{Name: name, Value: value})
		}
	}
	field("eventID", e.EventID)
	field("eventSource", e.EventSource)
	field("eventName", e.EventName)
	field("principal", who)
	field("errorCode", e.ErrorCode)
	field("sourceIPAddress", e.SourceIPAddress)
	if len(e.Resources) > 0 {
		field("resource", e.Resources[0].ARN)
	}
	return r
}
