package api

import (
	"context"
	"net"
	"time"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// Trail is where calls are recorded.
type Trail interface {
	// Append answers once the record is on disk.
	Append(ctx context.Context, e audit.Event) error
	// Healthy is an error while records cannot be written.
	Healthy() error
}

// requestOf is what policies may ask about a request.
func requestOf(c *call) iam.Request {
	host, _, err := net.SplitHostPort(c.r.RemoteAddr)
	if err != nil {
		host = c.r.RemoteAddr
	}
	return iam.Request{
		SourceIP: host, UserAgent: c.r.UserAgent(), SecureTransport: c.r.TLS != nil, Time: time.Now(), ID: c.id,
	}
}

// record writes what came of a call into the trail.
func (s *Server) record(c *call, failed error) error {
	now := time.Now()
	e := audit.Event{
		EventTime: now, EventSource: c.service.source(), EventName: c.operation, AWSRegion: s.Region,
		UserIdentity: identityOf(c.who), RequestID: c.id, EventID: uuid.NewString(),
		RequestParameters: audit.Parameters(c.in), ReadOnly: readOnly(c.operation), ManagementEvent: true,
	}
	return s.Trail.Append(context.WithoutCancel(c.at), e)
}
