package monitor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/dropstack/dropstack/internal/network"
)

// UserAgent is what checks call themselves.
const UserAgent = "dropstack-monitor/1.0 (uptime check)"

// Task is one check that a location is asked for.
type Task struct {
	ID      string `json:"id"`
	Monitor string `json:"monitor"`
	Inside  bool   `json:"inside,omitempty"` // private and loopback addresses too
	WarmUp  bool   `json:"warmUp,omitempty"`
	Target
}

// Reach says how far a check came.
type Reach string

// How far a check came: not to the server, to it without an answer of HTTP, or to an
// answer.
const (
	ReachedNothing Reach = "nothing"
	ReachedServer  Reach = "server"
	ReachedAnswer  Reach = "answer"
)

// Result is what came of one check.
type Result struct {
	ID       string    `json:"id"`
	Monitor  string    `json:"monitor"`
	Location string    `json:"location,omitempty"`
	At       time.Time `json:"at"` // when it ended, by the platform's clock
	State    State     `json:"state"`
	Reason   string    `json:"reason,omitempty"` // of what is not up
	Reached  Reach     `json:"reached"`
	Status   int       `json:"status,omitempty"`
	Phases   Phases    `json:"phases"`
	WarmUp   bool      `json:"warmUp,omitempty"` // the first after a start, a deployment or a pause; it says nothing of what is usual
	Evidence *Evidence `json:"evidence,omitempty"`
}

// Evidence is what a check that failed, or was slow, has seen.
type Evidence struct {
	Address     string            `json:"address,omitempty"` // that it connected to last
	Status      string            `json:"status,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Body        string            `json:"body,omitempty"` // its first bytes
	Error       string            `json:"error,omitempty"`
	Certificate string            `json:"certificate,omitempty"` // until when it is valid
}

// Bounds of evidence.
const (
	evidenceBody    = 2 << 10
	evidenceHeaders = 30
	evidenceValue   = 256
)

// Checker makes checks. Its zero value is of use.
type Checker struct {
	// Outside keeps it from private and loopback addresses, whatever a task allows.
	Outside bool
	RootCAs *x509.CertPool // nil: the machine's
}

// Check makes one check. A condition that is not met, and whatever goes wrong on the
// way, is a Result that is down.
func (c *Checker) Check(ctx context.Context, t Task) Result {
	r := Result{ID: t.ID, Monitor: t.Monitor, State: Up, Reached: ReachedNothing, WarmUp: t.WarmUp}
	ctx, cancel := context.WithTimeout(ctx, t.timeout())
	defer cancel()
	timer := &timer{began: time.Now()}
	a, evidence, err := c.ask(ctx, &t, timer)
	r.Phases = timer.end()
	r.Reached = timer.reached()
	evidence.Address = timer.address
	if err != nil {
		r.State, r.Reason = Down, why(err, r.Reached, t.timeout(), timer.phase())
		evidence.Error = plain(err)
		r.Evidence = evidence
		return r
	}
	a.took, r.Status = time.Duration(r.Phases.Total), a.status
	if r.Reason = t.Expect.unmet(a, time.Now()); r.Reason != "" {
		r.State = Down
	}
	r.Evidence = evidence
	return r
}

// ask sends the request and reads the answer, as much of it as there is.
func (c *Checker) ask(ctx context.Context, t *Task, timer *timer) (*answer, *Evidence, error) {
	evidence := &Evidence{}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, timer.trace()), cmp.Or(t.Method, http.MethodGet), t.URL, strings.NewReader(t.Body))
	if err != nil {
		return nil, evidence, err
	}
	req.Header.Set("User-Agent", UserAgent)
	for name, value := range t.Headers {
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	client, transport := c.client(t)
	defer transport.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return nil, evidence, err
	}
	defer func() { _ = resp.Body.Close() }()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	evidence.Status, evidence.Headers = resp.Status, kept(resp.Header)
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		a.certificate = resp.TLS.PeerCertificates[0]
		evidence.Certificate = a.certificate.NotAfter.UTC().Format(time.RFC3339)
	}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	timer.read()
	if len(a.body) > maxBody {
		a.body, a.cut = a.body[:maxBody], true
	}
	evidence.Body = strings.ToValidUTF8(string(a.body[:min(len(a.body), evidenceBody)]), "�")
	return a, evidence, err
}

// client makes a client for one check: no connection is used again, so that every
// phase is there to be timed, and no proxy, which would get around the look at
// addresses.
func (c *Checker) client(t *Task) (*http.Client, *http.Transport) {
	inside := t.Inside && !c.Outside
	guard := network.Guard(inside)
	dialer := &net.Dialer{Control: func(network, address string, c syscall.RawConn) error {
		if err := guard(network, address, c); err != nil {
			return refused{err}
		}
		return nil
	}}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, loopback(address))
		},
		TLSClientConfig:   &tls.Config{RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true, DisableKeepAlives: true, DisableCompression: false, MaxResponseHeaderBytes: 256 << 10,
	}
	return &http.Client{Transport: transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		switch {
		case t.NoRedirects:
			return http.ErrUseLastResponse
		case len(via) > maxRedirects:
			return refused{fmt.Errorf("it redirects more than %d times", maxRedirects)}
		case next.URL.Host != via[0].URL.Host: // what it sends may be a secret, and not that host's
			for name := range t.Headers {
				next.Header.Del(name)
			}
		}
		return nil
	}}, transport
}

// loopback leads names below localhost to this machine, as RFC 6761 has it; not every
// resolver does.
func loopback(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err == nil && (host == "localhost" || strings.HasSuffix(strings.TrimSuffix(host, "."), ".localhost")) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// refused is what the checker itself does not do.
type refused struct{ err error }

func (r refused) Error() string { return r.err.Error() }
func (r refused) Unwrap() error { return r.err }

// why says in words what went wrong.
func why(err error, reached Reach, timeout time.Duration, phase string) string {
	if r, ok := errors.AsType[refused](err); ok {
		return r.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %v: it was still %s", timeout, phase)
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		if e.IsNotFound {
			return "the name " + e.Name + " does not resolve"
		}
		return "the name " + e.Name + " cannot be looked up"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
			return "the certificate has expired, or is not valid yet"
		}
		return "the certificate does not hold: " + plain(err)
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection is refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no route to the server"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the server closed the connection without a whole answer"
	}
	return plain(err)
}

// plain is an error without the URL, which may hold a password.
func plain(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return shorten(err.Error(), 512)
}

// private are headers whose values are not kept.
var private = map[string]bool{"Set-Cookie": true, "Authorization": true, "Proxy-Authenticate": true, "Www-Authenticate": true}

func kept(h http.Header) map[string]string {
	out := map[string]string{}
	for name, values := range maps.All(h) {
		if len(out) == evidenceHeaders {
			break
		}
		out[name] = shorten(strings.Join(values, ", "), evidenceValue)
		if private[name] {
			out[name] = "(not kept)"
		}
	}
	return out
}
