package api

import (
	"context"
	"net"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/iam"
)

// Trail is where calls are recorded.
type Trail interface {
	// Append answers once the record is on disk.
	Append(ctx context.Context, e audit.Event) error
	// Healthy is false while records cannot be written.
	Healthy() bool
}

// requestOf is what policies may ask about a request.
func requestOf(c *call, region string) iam.Request {
	host, _, err := net.SplitHostPort(c.r.RemoteAddr)
	if err != nil {
		host = c.r.RemoteAddr
	}
	return iam.Request{
		ID: c.id, SourceIP: host, UserAgent: c.r.UserAgent(), Referer: c.r.Referer(), Region: region,
		SecureTransport: c.r.TLS != nil, Time: time.Now(),
	}
}

// record writes what came of a call. Only what changes something has an answer
// that is worth keeping.
func (s *Server) record(c *call, data bool, failed error) error {
	e := audit.Event{
		EventSource: c.service.source(), EventName: c.operation, AWSRegion: s.Region,
		UserIdentity: IdentityOf(c.who), SourceIPAddress: requestOf(c, "").SourceIP, UserAgent: c.r.UserAgent(),
		RequestParameters: audit.Parameters(c.in), RequestID: c.id, ReadOnly: readOnly(c.operation),
	}
	if data {
		e.EventCategory = "Data"
	}
	for _, n := range c.needs {
		if a, err := arn.Parse(n.Resource); err == nil {
			e.Resources = append(e.Resources, audit.Resource{ARN: n.Resource, AccountID: a.Account})
		}
	}
	if failed != nil {
		f := failureOf(failed, c.id)
		e.ErrorCode, e.ErrorMessage = f.code, f.message
	} else if !e.ReadOnly {
		e.ResponseElements = audit.Parameters(c.out)
	}
	// a caller who leaves does not go unrecorded
	return s.Trail.Append(context.WithoutCancel(c.at), e)
}

// IdentityOf is a caller in CloudTrail's words.
func IdentityOf(who iam.Principal) audit.UserIdentity {
	u := audit.UserIdentity{Type: string(who.Type), PrincipalID: who.UserID, ARN: who.ARN, AccountID: who.AccountID, AccessKeyID: who.AccessKeyID}
	switch who.Type {
	case iam.TypeUser:
		u.UserName = who.Name
	case iam.TypeAssumedRole:
		issued := ""
		if !who.Issued.IsZero() {
			issued = who.Issued.UTC().Format(time.RFC3339)
		}
		u.SessionContext = &audit.SessionContext{
			SessionIssuer: &audit.SessionIssuer{Type: "Role", ARN: who.RoleARN, AccountID: who.AccountID, UserName: who.Name},
			Attributes:    audit.SessionAttributes{CreationDate: issued, MFAAuthenticated: "false"},
		}
	case iam.TypeService:
		u.InvokedBy = who.Name
	}
	return u
}
