package monitor

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"
)

// Phases are how long the parts of a check took. Those of redirects add up.
type Phases struct {
	DNS       Duration `json:"dns"`
	Connect   Duration `json:"connect"`
	TLS       Duration `json:"tls"`
	FirstByte Duration `json:"firstByte"` // from the request to the first byte of the answer
	Transfer  Duration `json:"transfer"`  // from there to its end
	Total     Duration `json:"total"`
}

// each visits the phases by the names that metrics have.
func (p *Phases) each(visit func(name string, took time.Duration)) {
	visit("dns", time.Duration(p.DNS))
	visit("connect", time.Duration(p.Connect))
	visit("tls", time.Duration(p.TLS))
	visit("first_byte", time.Duration(p.FirstByte))
	visit("transfer", time.Duration(p.Transfer))
	visit("total", time.Duration(p.Total))
}

// timer times a check. The transport calls it from several goroutines, also after an
// attempt has lost to another.
type timer struct {
	began time.Time

	mu       sync.Mutex
	p        Phases
	since    time.Time // when the phase under way began
	name     string    // of it, in words
	firsts   time.Time // when the last answer's first byte came
	dialing  int       // connections being made at the same time
	dialed   time.Time // when the first of them began
	address  string
	linked   bool // a connection was made
	answered bool
	ended    bool
}

func (t *timer) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:  func(string) { t.begin("connecting") },
		DNSStart: func(httptrace.DNSStartInfo) { t.begin("looking up the name") },
		DNSDone:  func(httptrace.DNSDoneInfo) { t.finish(&t.p.DNS, "connecting") },
		ConnectStart: func(string, string) {
			t.mu.Lock()
			defer t.mu.Unlock()
			if t.dialing++; t.dialing == 1 {
				t.dialed, t.name = time.Now(), "connecting"
			}
		},
		ConnectDone: func(_, address string, err error) {
			t.mu.Lock()
			defer t.mu.Unlock()
			if t.dialing--; t.ended {
				return
			}
			if err == nil {
				t.linked = true
				t.p.Connect += Duration(time.Since(t.dialed))
				t.dialed, t.address = time.Now(), address // of two that succeed the second adds what it took longer
			}
		},
		TLSHandshakeStart:    func() { t.begin("making the connection secure") },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { t.finish(&t.p.TLS, "sending the request") },
		WroteRequest:         func(httptrace.WroteRequestInfo) { t.wrote() },
		GotFirstResponseByte: t.first,
	}
}

func (t *timer) begin(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
	t.since, t.name = time.Now(), name
}

func (t *timer) finish(into *Duration, next string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		*into += Duration(time.Since(t.since))
		t.since, t.name = time.Now(), next
	}
}

// wrote is called when the request is sent, which an answer may overtake.
func (t *timer) wrote() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.firsts.IsZero() {
		t.since, t.name = time.Now(), "waiting for the first byte"
	}
}

func (t *timer) first() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.p.FirstByte += Duration(time.Since(t.since))
		t.firsts, t.name, t.answered = time.Now(), "reading the answer", true
	}
}

// settle ends the transfer of an answer that redirected; the lock is held.
func (t *timer) settle() {
	if !t.firsts.IsZero() && !t.ended {
		t.p.Transfer += Duration(time.Since(t.firsts))
		t.firsts = time.Time{}
	}
}

// read is called when the body has been read.
func (t *timer) read() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
}

// end returns what the phases took; what is timed afterwards does not count.
func (t *timer) end() Phases {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
	t.ended = true
	t.p.Total = Duration(time.Since(t.began))
	return t.p
}

func (t *timer) reached() Reach {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.answered:
		return ReachedAnswer
	case t.linked:
		return ReachedServer
	}
	return ReachedNothing
}

// phase is what the check was at, in words.
func (t *timer) phase() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.name
}
