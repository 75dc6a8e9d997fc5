package instance

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// subscription is the body of PUT telemetry and PUT logs. Sources: the AWS Lambda
// developer guide, "Lambda Telemetry API reference" and "Lambda Logs API".
type subscription struct {
	SchemaVersion string   `json:"schemaVersion"`
	Types         []string `json:"types"`
	Buffering     struct {
		MaxItems  *int `json:"maxItems"`
		MaxBytes  *int `json:"maxBytes"`
		TimeoutMS *int `json:"timeoutMs"`
	} `json:"buffering"`
	Destination struct {
		Protocol string `json:"protocol"`
		URI      string `json:"URI"`
		Port     int    `json:"port"`
	} `json:"destination"`
}

// handleSubscription serves PUT of the Telemetry API, or of the older Logs API.
func (a *api) handleSubscription(r *request, legacy bool) []byte {
	if r.method != "PUT" {
		return wrongMethod(r, "PUT")
	}
	a.mu.Lock()
	e, refusal := a.exts.caller(r)
	a.mu.Unlock()
	if refusal != nil {
		return refusal
	}
	var in subscription
	if err := json.Unmarshal(r.body, &in); err != nil {
		return failure(400, "ValidationError", "invalid JSON: "+err.Error())
	}
	s, err := in.subscriber(e.name, legacy, a.dial)
	if err != nil {
		return failure(400, "ValidationError", err.Error())
	}
	if refusal := a.telemetry.subscribe(s); refusal != nil {
		return refusal
	}
	a.subscribed(s)
	return response("200 OK", `"OK"`)
}

func (in *subscription) subscriber(name string, legacy bool, dial dialer) (*subscriber, error) {
	s := &subscriber{name: name, types: in.Types, legacy: legacy}
	if err := in.version(legacy); err != nil {
		return nil, err
	}
	if len(in.Types) == 0 {
		return nil, fmt.Errorf("types: wants at least one of platform, function, extension")
	}
	for _, t := range in.Types {
		if t != "platform" && t != "function" && t != "extension" {
			return nil, fmt.Errorf("types: %q is none of platform, function, extension", t)
		}
	}
	var every int
	for _, b := range []struct {
		name             string
		given, to        *int
		least, most, def int
	}{
		{"maxItems", in.Buffering.MaxItems, &s.maxItems, 1000, 10000, 10000},
		{"maxBytes", in.Buffering.MaxBytes, &s.maxBytes, 262144, 1048576, 262144},
		{"timeoutMs", in.Buffering.TimeoutMS, &every, 25, 30000, 1000},
	} {
		*b.to = b.def
		if b.given == nil {
			continue
		}
		if *b.given < b.least || *b.given > b.most {
			return nil, fmt.Errorf("buffering.%s: %d is not within %d and %d", b.name, *b.given, b.least, b.most)
		}
		*b.to = *b.given
	}
	s.every = time.Duration(every) * time.Millisecond
	return s, in.route(s, dial)
}

func (in *subscription) version(legacy bool) error {
	known := []string{"2022-07-01", "2022-12-13", "2025-01-29"}
	if legacy {
		known = []string{"", "2020-08-15", "2021-03-18"}
	}
	if !slices.Contains(known, in.SchemaVersion) {
		return fmt.Errorf("schemaVersion: %q is none of %s", in.SchemaVersion, strings.Join(known, ", "))
	}
	return nil
}

// route finds where the events go: to a port of this machine only.
func (in *subscription) route(s *subscriber, dial dialer) error {
	d := in.Destination
	switch d.Protocol {
	case "TCP":
		if d.Port < 1 || d.Port > 65535 {
			return fmt.Errorf("destination.port: %d is not within 1 and 65535", d.Port)
		}
		s.deliver = overTCP(dial, d.Port)
		return nil
	case "HTTP":
	default:
		return fmt.Errorf("destination.protocol: %q is none of HTTP, TCP", d.Protocol)
	}
	u, err := url.Parse(d.URI)
	if err != nil || u.Scheme != "http" || u.Hostname() != "sandbox.localdomain" && u.Hostname() != "sandbox" {
		return fmt.Errorf("destination.URI: %q is not of the form http://sandbox.localdomain:PORT", d.URI)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil || port < 1 || port > 65535 {
		return fmt.Errorf("destination.URI: %q has no port within 1 and 65535", d.URI)
	}
	s.deliver = overHTTP(dial, u.Hostname(), port, u.EscapedPath())
	return nil
}
