package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/arn"
)

// Event is a CloudTrail record, version 1.11. The log fills in what is the same
// for all and what is missing: EventVersion, EventTime, EventID, EventType,
// EventCategory and the account.
type Event struct {
	EventVersion        string         `json:"eventVersion"`
	UserIdentity        UserIdentity   `json:"userIdentity"`
	EventTime           time.Time      `json:"eventTime"`   // whole seconds, UTC
	EventSource         string         `json:"eventSource"` // ssm.amazonaws.com
	EventName           string         `json:"eventName"`
	AWSRegion           string         `json:"awsRegion"`
	SourceIPAddress     string         `json:"sourceIPAddress"`
	UserAgent           string         `json:"userAgent"`
	ErrorCode           string         `json:"errorCode,omitempty"`
	ErrorMessage        string         `json:"errorMessage,omitempty"`
	RequestParameters   map[string]any `json:"requestParameters"` // see Parameters
	ResponseElements    map[string]any `json:"responseElements"`  // of calls that change something
	AdditionalEventData map[string]any `json:"additionalEventData,omitempty"`
	RequestID           string         `json:"requestID,omitempty"`
	EventID             string         `json:"eventID"`
	ReadOnly            bool           `json:"readOnly"`
	Resources           []Resource     `json:"resources,omitempty"`
	EventType           string         `json:"eventType"` // APICall or ServiceEvent
	ManagementEvent     bool           `json:"managementEvent"`
	RecipientAccountID  string         `json:"recipientAccountId"`
	EventCategory       string         `json:"eventCategory"` // Management or Data
}

// Types of events: what somebody called, and what the platform did by itself.
const (
	APICall      = "AwsApiCall"
	ServiceEvent = "AwsServiceEvent"
)

// UserIdentity is who called.
type UserIdentity struct {
	Type           string          `json:"type"` // Root, IAMUser, AssumedRole, AWSService, Unknown
	PrincipalID    string          `json:"principalId,omitempty"`
	ARN            string          `json:"arn,omitempty"`
	AccountID      string          `json:"accountId,omitempty"`
	AccessKeyID    string          `json:"accessKeyId,omitempty"`
	UserName       string          `json:"userName,omitempty"`
	SessionContext *SessionContext `json:"sessionContext,omitempty"`
	InvokedBy      string          `json:"invokedBy,omitempty"`
}

// SessionContext is where temporary credentials come from.
type SessionContext struct {
	SessionIssuer *SessionIssuer    `json:"sessionIssuer,omitempty"`
	Attributes    SessionAttributes `json:"attributes"`
}

// SessionIssuer is the role behind temporary credentials.
type SessionIssuer struct {
	Type        string `json:"type"` // Role
	PrincipalID string `json:"principalId,omitempty"`
	ARN         string `json:"arn,omitempty"`
	AccountID   string `json:"accountId,omitempty"`
	UserName    string `json:"userName,omitempty"`
}

// SessionAttributes tell when temporary credentials were made, and whether with a
// second factor: the strings "true" and "false", as in CloudTrail.
type SessionAttributes struct {
	CreationDate     string `json:"creationDate,omitempty"`
	MFAAuthenticated string `json:"mfaAuthenticated,omitempty"`
}

// Resource is what a call was about.
type Resource struct {
	ARN       string `json:"ARN"`
	AccountID string `json:"accountId,omitempty"`
	Type      string `json:"type,omitempty"` // AWS::SSM::Parameter; the log fills in what it knows
}

// root is the name of the account itself, which has none.
const root = "root"

// Name is who called, as LookupEvents says it: the user's name, the role's, or
// that of the session; "" for a service.
func (u UserIdentity) Name() string {
	switch {
	case u.UserName != "":
		return u.UserName
	case u.SessionContext != nil && u.SessionContext.SessionIssuer != nil && u.SessionContext.SessionIssuer.UserName != "":
		return u.SessionContext.SessionIssuer.UserName
	case u.Type == "Root":
		return root
	}
	_, session, _ := strings.Cut(u.PrincipalID, ":")
	return session
}

const (
	// maxEvent is CloudTrail's bound on a record.
	maxEvent = 256 << 10
	// maxText bounds what a caller can make long: its own name, an error's text.
	maxText = 1024
)

// complete fills in what every record has and bounds what callers choose.
func (e *Event) complete() {
	e.EventVersion = "1.11"
	if e.EventTime.IsZero() {
		e.EventTime = time.Now()
	}
	e.EventTime = e.EventTime.UTC().Truncate(time.Second)
	if e.EventID == "" {
		e.EventID = uuid.NewString()
	}
	if e.EventType == "" {
		e.EventType, e.ManagementEvent = APICall, e.EventCategory != "Data"
	}
	if e.EventCategory == "" {
		e.EventCategory = "Management"
	}
	if e.RecipientAccountID == "" {
		e.RecipientAccountID = arn.Account
	}
	e.Resources = slices.Clone(e.Resources) // the caller's
	for i := range e.Resources {
		if r := &e.Resources[i]; r.Type == "" {
			r.Type = kindOf(r.ARN)
		}
	}
	for _, text := range []*string{
		&e.EventSource, &e.EventName, &e.SourceIPAddress, &e.UserAgent, &e.ErrorCode, &e.ErrorMessage, &e.RequestID,
		&e.UserIdentity.PrincipalID, &e.UserIdentity.ARN, &e.UserIdentity.AccessKeyID, &e.UserIdentity.UserName,
	} {
		*text = cut(*text, maxText)
	}
}

// encode renders an event for its line. Parameters that make it too long are
// left out, and their place says so: a call must not escape its record by size.
func (e *Event) encode() ([]byte, error) {
	e.complete()
	doc, err := marshal(e)
	if err != nil || len(doc) <= maxEvent {
		return doc, err
	}
	omitted := map[string]any{"omitted": fmt.Sprintf("the record would have had %d bytes", len(doc))}
	e.RequestParameters, e.ResponseElements, e.AdditionalEventData = omitted, nil, nil
	if len(e.Resources) > maxList {
		e.Resources = e.Resources[:maxList]
	}
	if doc, err = marshal(e); err == nil && len(doc) > maxEvent {
		e.Resources = nil
		doc, err = marshal(e)
	}
	return doc, err
}

// marshal is JSON on one line that people can read too: < and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// cut shortens a text to about n bytes, at the border of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
