package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/dropstack/dropstack/internal/api"
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
	s.Tunnel = &api.Tunnel{Certificate: authority.GetCertificate(api.AWSName), Handler: s}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.PEM())
	return serve(t, s), s.Tunnel, &tls.Config{RootCAs: pool}
}

// TestClientsThatKnowNoEndpoint reach the platform by AWS's own names: by a proxy,
// and where the names lead to its listener.
func TestClientsThatKnowNoEndpoint(t *testing.T) {
	w, tunnel, trust := tunneled(t)
	proxy, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = tunnel.Serve(l) }()
	t.Cleanup(func() { _ = l.Close() })
	for name, transport := range map[string]*http.Transport{
		"proxy": {Proxy: http.ProxyURL(proxy), TLSClientConfig: trust},
		"names": {TLSClientConfig: trust, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
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
