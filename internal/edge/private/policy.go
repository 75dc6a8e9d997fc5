package private

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/pattern"
)

// policy is a custom policy: one statement.
type policy struct {
	resource string // "": any, as of cookies for a whole distribution
	before   time.Time
	after    time.Time // zero: at once
	from     netip.Prefix
}

type epoch struct {
	Seconds *int64 `json:"AWS:EpochTime"`
}

type document struct {
	Statement []struct {
		Resource  string
		Condition struct {
			DateLessThan    *epoch
			DateGreaterThan *epoch
			IPAddress       *struct {
				Source string `json:"AWS:SourceIp"`
			} `json:"IpAddress"`
		}
	}
}

// parsePolicy reads a policy. What it does not know it does not overlook.
func parsePolicy(doc []byte) (policy, error) {
	var d document
	in := json.NewDecoder(bytes.NewReader(doc))
	in.DisallowUnknownFields()
	if err := in.Decode(&d); err != nil {
		return policy{}, err
	}
	if len(d.Statement) != 1 || in.More() {
		return policy{}, errors.New("a policy has one statement")
	}
	s := d.Statement[0]
	p := policy{resource: s.Resource}
	if s.Condition.DateLessThan == nil || s.Condition.DateLessThan.Seconds == nil {
		return policy{}, errors.New("DateLessThan is missing")
	}
	p.before = time.Unix(*s.Condition.DateLessThan.Seconds, 0)
	if from := s.Condition.DateGreaterThan; from != nil {
		if from.Seconds == nil {
			return policy{}, errors.New("DateGreaterThan has no AWS:EpochTime")
		}
		p.after = time.Unix(*from.Seconds, 0)
	}
	if ip := s.Condition.IPAddress; ip != nil {
		var err error
		if p.from, err = prefix(ip.Source); err != nil {
			return policy{}, err
		}
	}
	return p, nil
}

// prefix is a network, or one address.
func prefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		return netip.PrefixFrom(a, a.BitLen()), err
	}
	return netip.ParsePrefix(text)
}

func (p *policy) allows(urls []string, client netip.Addr, now time.Time) bool {
	if !now.Before(p.before) || !p.after.IsZero() && !now.After(p.after) {
		return false
	}
	if p.from.IsValid() && !p.from.Contains(client) {
		return false
	}
	if p.resource == "" {
		return true
	}
	for _, u := range urls {
		if pattern.Glob(p.resource, u) { // a "?" of the URL's own is matched by one
			return true
		}
	}
	return false
}
