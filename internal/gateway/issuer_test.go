package gateway

import (
	"net/netip"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestWhenAnIssuerIsAsked(t *testing.T) {
	known := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k1", Key: []byte("k")}}}
	for name, c := range map[string]struct {
		id         string
		got, asked time.Duration // ago
		keys       *jose.JSONWebKeySet
		found, ask bool
	}{
		"nothing is known":             {"k1", 0, time.Hour, nil, false, true},
		"nothing, and asked just now":  {"k1", 0, time.Second, nil, false, false},
		"a known key":                  {"k1", time.Minute, time.Minute, known, true, false},
		"a new key":                    {"k2", time.Minute, time.Minute, known, false, true},
		"a new key, asked just now":    {"k2", time.Second, time.Second, known, false, false},
		"a known key of two hours":     {"k1", 2 * time.Hour, 2 * time.Hour, known, true, true},
		"the issuer does not answer":   {"k1", 3 * time.Hour, time.Second, known, true, false},
		"the issuer is away for a day": {"k1", 24 * time.Hour, time.Second, known, false, false},
		"a token that names no key":    {"", time.Minute, time.Minute, known, false, true},
		"names no key, asked again":    {"", time.Minute, time.Second, known, false, false},
	} {
		now := time.Now()
		i := &issuer{keys: c.keys, got: now.Add(-c.got), asked: now.Add(-c.asked)}
		key, ask := i.look(c.id, now)
		if (key != nil) != c.found || ask != c.ask {
			t.Errorf("%s: found %v and ask %v, want %v and %v", name, key != nil, ask, c.found, c.ask)
		}
	}
}

func TestAddressesThatAreNotAsked(t *testing.T) {
	for address, open := range map[string]bool{
		"127.0.0.1": true, "10.0.0.1": true, "93.184.216.34": true, "2001:db8::1": true,
		"169.254.169.254": false, "fe80::1%eth0": false, "::ffff:169.254.169.254": false, "fd00:ec2::254": false, "0.0.0.0": false, "224.0.0.1": false,
	} {
		if err := checkAddress(netip.MustParseAddr(address)); (err == nil) != open {
			t.Errorf("%s: got %v", address, err)
		}
	}
}
