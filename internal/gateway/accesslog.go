package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/logs"
)

// sent is what went to the client.
type sent struct {
	status int
	bytes  int64
	took   time.Duration
}

// Served is a request that has been answered.
type Served struct {
	API, Stage string // names
	Route      string // key; "" when there is none for the request
	Status     int
	Took       time.Duration
}

// served tells of a request that has been answered.
func (s *server) served(r *request) {
	r.sent.took = time.Since(r.at)
	if s.line != nil {
		s.record(r)
	}
	r.traced()
	if s.gateway.Served == nil {
		return
	}
	done := Served{API: s.api.Name, Stage: s.api.Stage, Status: r.sent.status, Took: r.sent.took}
	if r.target != nil {
		done.Route = r.target.key
	}
	s.gateway.Served(done)
}

// trigger is what an invocation for the request is measured by.
func (r *request) trigger() string {
	if r.api.Kind == URL {
		return function.TriggerURL
	}
	return function.TriggerHTTP
}

// measured is a writer that counts what it sends.
func (s *server) measured(w http.ResponseWriter, r *request) http.ResponseWriter {
	return &measure{w, &r.sent}
}

type measure struct {
	http.ResponseWriter
	sent *sent
}

func (m *measure) WriteHeader(status int) {
	if m.sent.status == 0 && status >= http.StatusOK {
		m.sent.status = status
	}
	m.ResponseWriter.WriteHeader(status)
}

func (m *measure) Write(p []byte) (int, error) {
	if m.sent.status == 0 {
		m.sent.status = http.StatusOK
	}
	n, err := m.ResponseWriter.Write(p)
	m.sent.bytes += int64(n)
	return n, err
}

// Unwrap lets a response controller through.
func (m *measure) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// record writes the request's line. The store takes it without waiting, and counts
// the lines that come faster than it can write.
func (s *server) record(r *request) {
	s.gateway.Logs.Append(logs.Record{
		Time: time.Now(), Group: s.api.AccessLog.Group, Stream: s.logStream, Request: r.id,
		Message: strings.TrimRight(s.line.fill(r, logged), "\r\n"),
	})
}

// logged shows a value in a line: "-" for none, nothing of an API key's value, and
// with quotes, backslashes and control characters escaped, so that no client can
// write lines or members of its own.
func logged(from origin, value string, ok bool) string {
	switch {
	case !ok || value == "":
		return "-"
	case from.place != "context" || from.name == "identity.apiKey":
		return "-" // the request's own headers may be secrets as well
	case from.name == "error.messageString":
		return value // is quoted already
	}
	text := quoted(value)
	return text[1 : len(text)-1]
}

// logStream is the log stream of an API's stage: 32 hex digits, as API Gateway's.
func logStream(api API) string {
	sum := sha256.Sum256([]byte(api.ID + "/" + api.Stage))
	return hex.EncodeToString(sum[:16])
}
