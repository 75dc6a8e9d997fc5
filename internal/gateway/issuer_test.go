package gateway

import (
	"net"
	"strings"
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
	dial := new(Gateway).transport().DialContext
	for _, address := range []string{"169.254.169.254", "fe80::1%lo", "::ffff:169.254.169.254", "fd00:ec2::254", "0.0.0.0", "224.0.0.1"} {
		c, err := dial(t.Context(), "tcp", net.JoinHostPort(address, "80"))
		if err == nil {
			_ = c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "nobody reaches") {
			t.Errorf("%s: got %v", address, err)
		}
	}
}
