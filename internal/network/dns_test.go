package network_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/dropstack/dropstack/internal/network"
)

func upstream(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
	a := new(dns.Msg).SetReply(q)
	switch q.Question[0].Name {
	case "www.example.org.":
		rr, err := dns.NewRR("www.example.org. 60 IN A 192.168.1.1")
		a.Answer = []dns.RR{rr}
		return a, err
	case "broken.example.org.":
		return nil, errors.New("nobody answers")
	}
	a.Rcode = dns.RcodeNameError
	return a, nil
}

func TestAnswer(t *testing.T) {
	n := networks(t, world(true))
	n.Upstream = upstream
	rows := []struct {
		port, name string
		typ        uint16
		code       int
		want       string // ends of answers
		soa        bool
	}{
		{"app", "db.internal.example.", dns.TypeA, 0, "10.9.0.10", false},
		{"app", "DB.Internal.example.", dns.TypeA, 0, "10.9.0.10", false},
		{"app", "db.internal.example.", dns.TypeAAAA, 0, "", true},
		{"app", "db.internal.example.", dns.TypeTXT, 0, `"a" "b"; "it's"`, false},
		{"app", "_mongodb._tcp.db.internal.example.", dns.TypeSRV, 0, "0 0 27017 db.internal.example.", false},
		{"app", "_tcp.db.internal.example.", dns.TypeA, 0, "", true}, // leads to a longer name
		{"app", "alias.internal.example.", dns.TypeA, 0, "db.internal.example.; 10.9.0.10", false},
		{"app", "alias.internal.example.", dns.TypeCNAME, 0, "db.internal.example.", false},
		{"app", "out.internal.example.", dns.TypeA, 0, "www.example.org.; 192.168.1.1", false},
		{"app", "circle.internal.example.", dns.TypeA, dns.RcodeServerFailure, "", false},
		{"app", "x.y.wild.internal.example.", dns.TypeA, 0, "10.9.0.11", false},
		{"app", "y.b.wild.internal.example.", dns.TypeA, dns.RcodeNameError, "", true}, // b exists, so the wildcard above does not reach
		{"app", "nothing.internal.example.", dns.TypeA, dns.RcodeNameError, "", true},
		{"app", "internal.example.", dns.TypeMX, 0, "10 db.internal.example.", false},
		{"app", "ssm.us-east-1.amazonaws.com.", dns.TypeA, 0, "10.0.1.20", false},
		{"app", "ssm.us-east-1.amazonaws.com.", dns.TypeAAAA, 0, "", true},
		{"b", "ssm.us-east-1.amazonaws.com.", dns.TypeA, dns.RcodeNameError, "", false},
		{"b", "db.internal.example.", dns.TypeA, dns.RcodeNameError, "", false}, // upstream's
		{"public", "db.internal.example.", dns.TypeA, dns.RcodeNameError, "", false},
		{"public", "www.example.org.", dns.TypeA, 0, "192.168.1.1", false},
		{"app", "broken.example.org.", dns.TypeA, dns.RcodeServerFailure, "", false},
		{"app", "internal.example.", dns.TypeAXFR, dns.RcodeRefused, "", false},
		{"app", "internal.example.", dns.TypeANY, dns.RcodeRefused, "", false},
		{"app", "www.example.org.", dns.TypeANY, dns.RcodeRefused, "", false},
		{"app", "localhost.", dns.TypeA, 0, "127.0.0.1", false},
		{"public", "A.LocalHost.", dns.TypeA, 0, "127.0.0.1", false},
		{"public", "localhost.", dns.TypeAAAA, 0, "::1", false},
		{"app", "localhost.", dns.TypeMX, 0, "", true},
		{"app", "notlocalhost.", dns.TypeA, dns.RcodeNameError, "", false}, // upstream's
	}
	for _, row := range rows {
		q := new(dns.Msg).SetQuestion(row.name, row.typ).SetEdns0(4096, false)
		b, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		var a dns.Msg
		if err := a.Unpack(n.Answer(t.Context(), ports[row.port], b)); err != nil {
			t.Errorf("%s %s: %v", row.port, row.name, err)
			continue
		}
		var got []string
		for _, rr := range a.Answer {
			got = append(got, strings.TrimPrefix(rr.String(), rr.Header().String()))
		}
		if strings.Join(got, "; ") != row.want || a.Rcode != row.code || (len(a.Ns) > 0) != row.soa || a.Id != q.Id || !a.Response {
			t.Errorf("%s asks %s %s: got %s", row.port, row.name, dns.TypeToString[row.typ], &a)
		}
		if len(a.Answer) > 0 && a.Answer[0].Header().Name != row.name {
			t.Errorf("%s: owner: got %s", row.name, a.Answer[0].Header().Name)
		}
	}
}

// TestServicesByAWSNames: the platform is AWS's services to functions, but for
// those that their VPC has an endpoint for.
func TestServicesByAWSNames(t *testing.T) {
	n := networks(t, world(true))
	n.Upstream, n.Services = upstream, addr("127.0.0.2")
	for _, row := range []struct {
		port, name string
		typ        uint16
		code       int
		want       string // end of the last answer
	}{
		{"public", "ssm.us-east-1.amazonaws.com.", dns.TypeA, 0, "127.0.0.2"},
		{"public", "SSM.us-east-1.amazonaws.com.", dns.TypeAAAA, 0, ""},
		{"public", "sts.amazonaws.com.", dns.TypeA, 0, "127.0.0.2"},
		{"public", "shots.s3.eu-west-1.amazonaws.com.", dns.TypeA, 0, "127.0.0.2"},
		{"public", "db.c0ffee.us-east-1.rds.amazonaws.com.", dns.TypeA, dns.RcodeNameError, ""}, // upstream's
		{"public", "www.example.org.", dns.TypeA, 0, "192.168.1.1"},
		{"app", "ssm.us-east-1.amazonaws.com.", dns.TypeA, 0, "10.0.1.20"},
		{"app", "kms.us-east-1.amazonaws.com.", dns.TypeA, 0, "127.0.0.2"},
		{"app", "aws.internal.example.", dns.TypeA, 0, "127.0.0.2"},
		{"b", "ssm.us-east-1.amazonaws.com.", dns.TypeA, 0, "127.0.0.2"},
	} {
		b, err := new(dns.Msg).SetQuestion(row.name, row.typ).Pack()
		if err != nil {
			t.Fatal(err)
		}
		var a dns.Msg
		if err := a.Unpack(n.Answer(t.Context(), ports[row.port], b)); err != nil {
			t.Errorf("%s %s: %v", row.port, row.name, err)
			continue
		}
		got := ""
		for _, rr := range a.Answer {
			got = strings.TrimPrefix(rr.String(), rr.Header().String())
		}
		if got != row.want || a.Rcode != row.code {
			t.Errorf("%s asks %s %s: got %s", row.port, row.name, dns.TypeToString[row.typ], &a)
		}
	}
}

func TestAnswerToNoQuery(t *testing.T) {
	n := networks(t, world(true))
	for what, b := range map[string]string{
		"nothing": "", "a short header": "\x12\x34\x01\x00", "an answer": "\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00",
	} {
		if got := n.Answer(t.Context(), ports["app"], []byte(b)); got != nil {
			t.Errorf("%s: got %x, want silence", what, got)
		}
	}
	var a dns.Msg
	got := n.Answer(t.Context(), ports["app"], []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03ab"))
	if err := a.Unpack(got); err != nil || a.Rcode != dns.RcodeFormatError || a.Id != 0x1234 || !a.Response {
		t.Errorf("half a name: got %x (%v), want FORMERR", got, err)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"db.internal.example.", "alias.internal.example.", "x.wild.internal.example.", "www.example.org.", "a.localhost.", "."} {
		b, err := new(dns.Msg).SetQuestion(name, dns.TypeA).SetEdns0(512, true).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	n := networks(f, world(true))
	n.Upstream = upstream
	f.Fuzz(func(t *testing.T, query []byte) {
		for _, p := range []*network.Port{ports["app"], ports["public"]} {
			b := n.Answer(t.Context(), p, query)
			if b == nil {
				continue
			}
			var a dns.Msg
			if err := a.Unpack(b); err != nil || !a.Response || b[0] != query[0] || b[1] != query[1] {
				t.Fatalf("answer %x to %x: %v", b, query, err)
			}
		}
	})
}
