package server

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/logs"
)

// auditGroup is the log group of pointers to audit records.
const auditGroup = "/dropstack/audit"

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
