package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/fault"
)

func TestWhatIsSaidOfHTTPS(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const at = "127.0.0.1:8443"
	for _, c := range []struct {
		name string
		cfg  Config
		want string // words of the refusal; "": none
	}{
		{"nothing", Config{}, ""},
		{"off", Config{HTTPS: "off", ACME: ACME{Mode: "off"}}, ""},
		{"on", Config{HTTPS: at, ACME: ACME{Mode: "on", Email: "you@example.com", Challenge: "auto"}}, ""},
		{"another authority", Config{HTTPS: at, ACME: ACME{Mode: "on", Directory: "https://ca.internal/dir", Challenge: certificate.HTTP01}, TLSAsk: "http://127.0.0.1:1/may"}, ""},
		{"neither on nor off", Config{HTTPS: at, ACME: ACME{Mode: "yes"}}, `--acme "yes": on, off or staging`},
		{"without a listener", Config{HTTPS: "off", ACME: ACME{Mode: "on"}}, "--https off"},
		{"staging of another", Config{HTTPS: at, ACME: ACME{Mode: "staging", Directory: "https://ca.internal/dir"}}, "--acme staging is Let's Encrypt's"},
		{"no https", Config{HTTPS: at, ACME: ACME{Mode: "on", Directory: "http://ca.internal/dir"}}, "not an https URL"},
		{"DNS-01", Config{HTTPS: at, ACME: ACME{Mode: "on", Challenge: "dns-01"}}, "dns-01 is not supported: import a certificate"},
		{"no address", Config{HTTPS: at, ACME: ACME{Mode: "on", Email: "you"}}, "--acme-email"},
		{"no root", Config{HTTPS: at, ACME: ACME{Mode: "on", Root: filepath.Join(t.TempDir(), "none.pem")}}, "--acme-ca-root"},
		{"an empty root", Config{HTTPS: at, ACME: ACME{Mode: "on", Root: empty}}, "holds no certificate"},
		{"nobody to ask", Config{HTTPS: at, TLSAsk: "function"}, "--tls-ask"},
	} {
		err := c.cfg.checkTLS()
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got kind %v, want %v", c.name, fault.KindOf(err), fault.Invalid)
		}
	}
}
