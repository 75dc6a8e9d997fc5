package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/ca"
)

// plain does not seal.
type plain struct{}

func (plain) Seal(b, _ []byte) ([]byte, error) { return b, nil }
func (plain) Open(b, _ []byte) ([]byte, error) { return b, nil }

// tunneled is an endpoint that answers AWS's names, and who trusts it.
func tunneled(t *testing.T) (*world, *api.Tunnel, *tls.Config) {
	t.Helper()
	authority, err := ca.Open(t.TempDir(), plain{})
	if err != nil {
		t.Fatal(err)
	}
	s := &api.Server{Lambda: invoking(&one{})}
	s.Tunnel = &api.Tunnel{Certificate: authority.GetCertificate(arn.ServiceHost), Handler: s}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.PEM())
	return serve(t, s), s.Tunnel, &tls.Config{RootCAs: pool}
}

// listening is where AWS's names would have to lead.
func listening(t *testing.T, tunnel *api.Tunnel) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: tunnel.Handler, ErrorLog: log.New(io.Discard, "", 0)} // of names that get no certificate
	go func() { _ = srv.Serve(tunnel.Over(l)) }()
	t.Cleanup(func() { _ = srv.Close() })
	return l.Addr().String()
}

// TestOthersNamesGetNoCertificate: who is led to the platform by another name
// notices.
func TestOthersNamesGetNoCertificate(t *testing.T) {
	_, tunnel, trust := tunneled(t)
	at := listening(t, tunnel)
	for name, want := range map[string]bool{
		"ssm.us-east-1.amazonaws.com": true, "SSM.us-east-1.amazonaws.com": true, "shots.s3.amazonaws.com": true,
		"www.example.org": false, "amazonaws.com": false, "ssm.us-east-1.amazonaws.com.example.org": false,
		"db.c0ffee.us-east-1.rds.amazonaws.com": false, "localhost": false, "127.0.0.1": false,
	} {
		config := trust.Clone()
		config.ServerName = name
		conn, err := tls.Dial("tcp", at, config)
		if (err == nil) != want {
			t.Errorf("%s: %v, want a certificate: %v", name, err, want)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}

// TestClientsThatKnowNoEndpoint reach the platform by AWS's own names: by a proxy,
// and where the names lead to its listener.
func TestClientsThatKnowNoEndpoint(t *testing.T) {
	w, tunnel, trust := tunneled(t)
	proxy, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	at := listening(t, tunnel)
	for name, transport := range map[string]*http.Transport{
		"proxy": {Proxy: http.ProxyURL(proxy), TLSClientConfig: trust},
		"names": {TLSClientConfig: trust, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at)
		}},
	} {
		t.Cleanup(transport.CloseIdleConnections)
		client := lambda.New(lambda.Options{Region: "us-east-1", Credentials: provider(w.keys.Admin()), HTTPClient: &http.Client{Transport: transport}, RetryMaxAttempts: 1})
		for range 2 { // the second on the same connection
			out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("known"), Payload: []byte("1")})
			if err != nil || string(out.Payload) != "1" {
				t.Errorf("%s: got %+v, %v", name, out, err)
			}
		}
	}
}

func TestTheProxyLeadsNowhereElse(t *testing.T) {
	w, _, trust := tunneled(t)
	proxy, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: trust}}
	t.Cleanup(client.CloseIdleConnections)
	for _, to := range []string{"https://example.com/", "https://lambda.us-east-1.amazonaws.com:22/", "https://amazonaws.com.example.org/", "https://127.0.0.1/"} {
		if _, err := client.Get(to); err == nil || !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("%s: got %v", to, err)
		}
	}
}
