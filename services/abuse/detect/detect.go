// Package detect finds the clients that probe, guess passwords or take far more than
// others, from what requests came to.
//
// It knows no clock: time is that of the records, so that a log of yesterday is judged
// as it would have been then. Every record is judged as it comes; nobody waits for the
// end of a minute.
package detect

import (
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/dropstack/dropstack/services/abuse/access"
)

// Verdict is that a client should be turned away.
type Verdict struct {
	Client  netip.Prefix `json:"client"`
	Reason  string       `json:"reason"` // in words, with figures
	At      time.Time    `json:"at"`
	Request string       `json:"request,omitempty"` // id of the last
}

// Client is what is known of one client. It is kept as JSON.
type Client struct {
	Minute series            `json:"minute,omitempty"`
	Long   series            `json:"long,omitempty"`
	Paths  map[uint32]int64  `json:"paths,omitempty"` // that failed, by hash: the minute
	URIs   map[string]series `json:"uris,omitempty"`  // of Rules.URIs
	Last   time.Time         `json:"last"`
	Judged time.Time         `json:"judged,omitzero"`
}

// Detector judges clients. It is for one goroutine.
type Detector struct {
	rules   Rules
	clients map[netip.Prefix]*Client
	newest  time.Time
	looked  time.Time // for outliers
	touched map[netip.Prefix]bool
}

// New makes a detector that goes on from what is known of clients.
func New(rules Rules, clients map[netip.Prefix]*Client) *Detector {
	if clients == nil {
		clients = map[netip.Prefix]*Client{}
	}
	d := &Detector{rules: rules, clients: clients, touched: map[netip.Prefix]bool{}}
	for _, c := range clients {
		if c.Last.After(d.newest) {
			d.newest = c.Last
		}
	}
	return d
}

// ClientOf is the client behind an address: of IPv4 the address, of IPv6 its /64,
// which is what one customer has.
func ClientOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// Add counts a record and tells whether its client has gone too far with it.
func (d *Detector) Add(r access.Record) (Verdict, bool) {
	at := r.Client.Unmap()
	if r.Refused || d.rules.allowed(at) {
		return Verdict{}, false
	}
	key := ClientOf(at)
	c := d.client(key)
	if past(r.Time, c.Last) {
		*c = Client{}
	}
	if r.Time.Before(c.Judged.Add(grace)) {
		return Verdict{}, false
	}
	if r.Time.After(c.Last) {
		c.Last = r.Time
	}
	if r.Time.After(d.newest) || past(r.Time, d.newest) {
		d.newest = r.Time
	}
	reason := d.judge(c, r, d.count(c, r))
	if reason == "" {
		return Verdict{}, false
	}
	*c = Client{Last: c.Last, Judged: r.Time}
	return Verdict{Client: key, Reason: reason, At: r.Time, Request: r.Request}, true
}

// past tells whether a record is from so long before another that nothing counts
// together: the log is an older one, or the clock was ahead and has been set back.
func past(at, last time.Time) bool { return at.Before(last.Add(-2 * window)) }

func (d *Detector) client(key netip.Prefix) *Client {
	d.touched[key] = true
	c := d.clients[key]
	if c == nil {
		c = &Client{}
		d.clients[key] = c
	}
	return c
}

// count adds a record to its client and returns what it counted as.
func (d *Detector) count(c *Client, r access.Record) counts {
	n := counts{Requests: 1, Bytes: r.Bytes}
	if r.Status < 300 && r.Status >= 200 && r.Bytes >= d.rules.DownloadSize {
		n.Downloads = 1
	}
	if d.rules.login(r.Method, r.Path) {
		n.Logins = 1
		if r.Status == 401 || r.Status == 403 {
			n.LoginsFailed = 1
		}
	}
	inMinute, inWindow := slotOf(r.Time, short), slotOf(r.Time, long)
	if d.rules.failed(r.Status) && !d.rules.ignored(r.Path) {
		if _, own := d.rules.URIs[r.Path]; own {
			if c.URIs == nil {
				c.URIs = map[string]series{}
			}
			s := c.URIs[r.Path]
			s.add(inMinute, counts{Failed: 1}, 2*perMinute)
			c.URIs[r.Path] = s
		} else {
			n.Failed = 1
			c.probe(r, inWindow, 4*d.rules.Probed)
		}
	}
	c.Minute.add(inMinute, n, 2*perMinute)
	c.Long.add(inWindow, n, 2*perWindow)
	return n
}

// probe remembers a path that failed. One that asks who is calling is no sign of
// somebody who does not know what is there.
func (c *Client) probe(r access.Record, minute int64, most int) {
	if r.Status == 401 || most == 0 {
		return
	}
	maps.DeleteFunc(c.Paths, func(_ uint32, at int64) bool { return at <= minute-perWindow })
	if len(c.Paths) >= most {
		return
	}
	if c.Paths == nil {
		c.Paths = map[uint32]int64{}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.Path)) // never fails
	c.Paths[h.Sum32()] = max(minute, c.Paths[h.Sum32()])
}

// judge says in words why a client has gone too far, "" if it has not. Only what the
// record counted as can have changed anything.
func (d *Detector) judge(c *Client, r access.Record, n counts) string {
	rules := &d.rules
	inMinute := slotOf(r.Time, short)
	if n.LoginsFailed > 0 {
		m := c.Minute.worst(inMinute, perMinute, func(c counts) int { return c.LoginsFailed })
		if over(m.LoginsFailed, rules.Logins, m.Logins, rules.LoginsShare) {
			return fmt.Sprintf("%d failed logins within a minute, of %d", m.LoginsFailed, m.Logins)
		}
	}
	if s := c.URIs[r.Path]; len(s) > 0 {
		m := s.worst(inMinute, perMinute, func(c counts) int { return c.Failed })
		if limit := rules.URIs[r.Path]; limit > 0 && m.Failed > limit {
			return fmt.Sprintf("%d failed requests for %.100q within a minute", m.Failed, r.Path)
		}
	}
	if n.Failed == 0 {
		return ""
	}
	m := c.Minute.worst(inMinute, perMinute, func(c counts) int { return c.Failed })
	if over(m.Failed, rules.Failed, m.Requests, rules.FailedShare) {
		return fmt.Sprintf("%d failed requests within a minute, of %d", m.Failed, m.Requests)
	}
	w := c.Long.sum(slotOf(r.Time, long), perWindow)
	if over(len(c.Paths), rules.Probed, 0, 0) && w.Failed*100 > w.Requests*rules.ProbedShare {
		return fmt.Sprintf("%d different paths tried in vain within %v, %d requests of %d failed", len(c.Paths), window, w.Failed, w.Requests)
	}
	return ""
}

func slotOf(t time.Time, width time.Duration) int64 { return t.UnixNano() / int64(width) }

// Forget lets go of clients that have been quiet for long, and of more if there are
// too many. It returns what has changed since the last time: nil of those forgotten.
func (d *Detector) Forget() map[netip.Prefix]*Client {
	changed := map[netip.Prefix]*Client{}
	for key := range d.touched {
		changed[key] = d.clients[key]
	}
	drop := func(key netip.Prefix) {
		delete(d.clients, key)
		changed[key] = nil
	}
	for key, c := range d.clients {
		if c.Last.Before(d.newest.Add(-2 * window)) {
			drop(key)
		}
	}
	if many := len(d.clients) - maxClients; many > 0 {
		quiet := slices.SortedFunc(maps.Keys(d.clients), func(a, b netip.Prefix) int { return d.clients[a].Last.Compare(d.clients[b].Last) })
		for _, key := range quiet[:many] {
			drop(key)
		}
	}
	clear(d.touched)
	return changed
}
