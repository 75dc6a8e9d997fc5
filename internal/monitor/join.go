package monitor

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// What a probe and the platform say to each other, below /probe/. A probe opens every
// connection itself, so it needs no open port:
//
//	GET  work      a line of JSON for every check to make, and one every two seconds
//	POST results   what came of checks, or nothing, as a sign of life
//
// with its location in X-Dropstack-Location and its key as a bearer token. A result is
// sent until the platform has taken it, and counts once, by the ID of its check.

// order is a line that a probe gets.
type order struct {
	Check *Task  `json:"check,omitempty"`
	End   string `json:"end,omitempty"` // why there will be no more
}

// report is what a probe sends.
type report struct {
	Results []measured `json:"results"`
}

// measured is a result with its age, since clocks differ.
type measured struct {
	Result
	Ago Duration `json:"ago"`
}

const (
	locationHeader = "X-Dropstack-Location"
	maxReport      = 8 << 20
	writeTimeout   = 5 * time.Second
)

// Handler serves probes, below a prefix that has been stripped.
func (m *Monitors) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /work", m.asProbe(m.serveWork))
	mux.HandleFunc("POST /results", m.asProbe(m.serveResults))
	return mux
}

func (m *Monitors) asProbe(next func(http.ResponseWriter, *http.Request, *location)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		key, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
		l, err := m.known(req.Header.Get(locationHeader), key)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		next(w, req, l)
	}
}

// serveWork hands out checks until the probe goes, or the platform does.
func (m *Monitors) serveWork(w http.ResponseWriter, req *http.Request, l *location) {
	line := http.NewResponseController(w)
	send := func(o order) error {
		doc, err := json.Marshal(o)
		if err == nil {
			err = line.SetWriteDeadline(time.Now().Add(writeTimeout))
		}
		if err == nil || errors.Is(err, http.ErrNotSupported) {
			if _, err = w.Write(append(doc, '\n')); err == nil {
				err = line.Flush()
			}
		}
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // of reverse proxies in between
	c := m.join(l, req.RemoteAddr)
	pulse := time.NewTicker(beat)
	defer pulse.Stop()
	err := send(order{})
	for err == nil {
		select {
		case t := <-c.tasks:
			err = send(order{Check: &t})
		case <-pulse.C:
			err = send(order{})
		case <-c.gone:
			_ = send(order{End: c.why}) // nobody may be there to hear
			return
		case <-m.ended:
			m.leave(l, c, "the platform ends")
			return
		case <-req.Context().Done():
			err = errors.New("it has hung up")
		}
	}
	m.leave(l, c, err.Error())
}

// serveResults takes results. What is answered has been taken.
func (m *Monitors) serveResults(w http.ResponseWriter, req *http.Request, l *location) {
	var in report
	body := http.MaxBytesReader(w, req.Body, maxReport)
	if err := json.NewDecoder(body).Decode(&in); err != nil {
		status := http.StatusBadRequest
		if errors.Is(err, io.ErrUnexpectedEOF) {
			status = http.StatusRequestTimeout
		}
		http.Error(w, "the results cannot be read: "+err.Error(), status)
		return
	}
	if !m.alive(l) {
		http.Error(w, "this location has not joined", http.StatusConflict)
		return
	}
	for _, r := range in.Results {
		r.At = time.Now().UTC().Add(-max(time.Duration(r.Ago), 0))
		r.Result.bound()
		m.deliver(req.Context(), l.Name, r.Result)
	}
	w.WriteHeader(http.StatusNoContent)
}

// bound keeps what a probe says within what the platform would say itself.
func (r *Result) bound() {
	if r.State != Up {
		r.State = Down // what is slow is not for the probe to say
	}
	r.Reason = shorten(r.Reason, 1024)
	if e := r.Evidence; e != nil {
		e.Address, e.Status, e.Error = shorten(e.Address, evidenceValue), shorten(e.Status, evidenceValue), shorten(e.Error, 1024)
		e.Body, e.Certificate = shorten(e.Body, evidenceBody), shorten(e.Certificate, evidenceValue)
		if len(e.Headers) > evidenceHeaders {
			e.Headers = nil
		}
		for name, value := range e.Headers {
			e.Headers[name] = shorten(value, evidenceValue)
		}
	}
}
