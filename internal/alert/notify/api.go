package notify

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	apiv2 "github.com/prometheus/alertmanager/api/v2"

	"github.com/dropstack/dropstack/internal/durable"
)

// Bounds of silences, which are clients' own words.
const (
	maxSilences    = 10_000
	maxSilenceSize = 64 << 10
	maxBody        = 4 << 20
)

// Handler answers Alertmanager's API, version 2, below /api/v2/.
func (n *Notifier) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.handler().ServeHTTP(w, r) })
}

// api is made when it is asked for first: reading its own description takes longer
// than the rest of a start.
func (n *Notifier) api() http.Handler {
	inner, err := apiv2.NewAPI(n.alerts, n.groups, n.muted.Muted, n.silences, nil, quiet(n.Log), n.registry)
	if err != nil {
		n.Log.Error("Alertmanager's API cannot answer", "err", err)
		return http.NotFoundHandler()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > maxBody {
			http.Error(w, fmt.Sprintf("a body has at most %d bytes", maxBody), http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		// who is told may have changed since the last request
		inner.Update(n.current.Load().plan.conf, n.mutes)
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, "/silence") {
			inner.Handler.ServeHTTP(w, r)
			return
		}
		// a silence is answered for once it is on the disk
		held := &heldBack{header: http.Header{}, status: http.StatusOK}
		inner.Handler.ServeHTTP(held, r)
		if held.status < http.StatusMultipleChoices {
			n.mu.Lock()
			err := n.keepSilences()
			n.mu.Unlock()
			if err != nil {
				n.Log.Error("a silence cannot be kept", "err", err)
				http.Error(w, "the silence counts, but could not be written to the disk: a restart would forget it", http.StatusInternalServerError)
				return
			}
		}
		held.release(w)
	})
}

// keepSilences writes them. The caller holds mu.
func (n *Notifier) keepSilences() error {
	var b bytes.Buffer
	if _, err := n.silences.Snapshot(&b); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(n.Dir, "silences"), b.Bytes(), 0o600)
}

// heldBack is an answer that is not given yet.
type heldBack struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldBack) Header() http.Header         { return h.header }
func (h *heldBack) WriteHeader(status int)      { h.status = status }
func (h *heldBack) Write(b []byte) (int, error) { return h.body.Write(b) }

func (h *heldBack) release(w http.ResponseWriter) {
	for name, values := range h.header {
		w.Header()[name] = values
	}
	w.WriteHeader(h.status)
	_, _ = w.Write(h.body.Bytes())
}
