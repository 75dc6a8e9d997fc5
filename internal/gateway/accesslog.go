package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
)

// sent is what went to the client.
type sent struct {
	status int
	bytes  int64
	took   time.Duration
}

// measured is a writer that counts what it sends for the access log.
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
	r.sent.took = time.Since(r.at)
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
