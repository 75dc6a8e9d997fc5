//go:build linux

package sandbox_test

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/testkit"
)

// programs speak TLS to ssm.us-east-1.amazonaws.com at 127.0.0.2, each with a trust
// store of its own kind.
var programs = map[string]struct{ program, line string }{
	"curl, a bundle":            {"curl", "curl -sS --resolve ssm.us-east-1.amazonaws.com:443:127.0.0.2 https://ssm.us-east-1.amazonaws.com/"},
	"OpenSSL, a directory":      {"openssl", "echo | openssl s_client -connect 127.0.0.2:443 -servername ssm.us-east-1.amazonaws.com -no-CAfile -no-CAstore -CApath /etc/ssl/certs -verify_return_error -quiet >/dev/null && echo trusted"},
	"Python, OpenSSL's default": {"/usr/bin/python3", `/usr/bin/python3 -c 'import socket, ssl; ssl.create_default_context().wrap_socket(socket.create_connection(("127.0.0.2", 443)), server_hostname="ssm.us-east-1.amazonaws.com"); print("trusted")'`},
	"Node, an extra file":       {"node", `NODE_EXTRA_CA_CERTS=` + sandbox.AuthorityFile + ` node -e 'require("https").get({host: "127.0.0.2", servername: "ssm.us-east-1.amazonaws.com", headers: {host: "ssm.us-east-1.amazonaws.com"}}, r => r.pipe(process.stdout)).on("error", e => console.log(e.message))'`},
}

// TestSandboxesTrustTheAuthority: programs with trust stores of every kind take its
// certificates inside, and only if the maker says so.
func TestSandboxesTrustTheAuthority(t *testing.T) {
	a := testkit.Authority(t)
	for _, trusts := range []bool{true, false} {
		certificate := a.PEM()
		if !trusts {
			certificate = nil
		}
		b := furnished(t, testkit.Trusting(t, testkit.Strongest(), certificate), sandbox.Furniture{})
		srv := &http.Server{
			Handler:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "trusted") }),
			ErrorLog: log.New(io.Discard, "", 0), // of those that do not trust it
		}
		l := tls.NewListener(b.Names, &tls.Config{GetCertificate: a.GetCertificate(func(string) bool { return true })})
		go func() { _ = srv.Serve(l) }()
		t.Cleanup(func() { _ = srv.Close() })
		for name, p := range programs {
			t.Run(name, func(t *testing.T) {
				if _, err := exec.LookPath(p.program); err != nil {
					t.Skipf("not run: %v", err)
				}
				if got, _ := inside(t, b, p.line); strings.HasSuffix(got, "trusted") != trusts {
					t.Errorf("the sandbox trusts the authority: %v; got %q", trusts, got)
				}
			})
		}
	}
}

// TestWhatThisMachineTrustsStays compares the files of trust with this machine's.
func TestWhatThisMachineTrustsStays(t *testing.T) {
	with := furnished(t, testkit.Maker(t, testkit.Strongest()), sandbox.Furniture{})
	without := furnished(t, testkit.Trusting(t, testkit.Strongest(), nil), sandbox.Furniture{})
	const list, count = "cd /etc/ssl && find . -name private -prune -o -print | sort", "cat /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt 2>/dev/null | grep -c BEGIN"
	got, _ := inside(t, with, list)
	before, _ := inside(t, without, list)
	for name := range strings.Lines(before + "\n") {
		if !strings.Contains(got+"\n", name) {
			t.Errorf("%q is missing", name)
		}
	}
	got, _ = inside(t, with, count)
	before, _ = inside(t, without, count)
	if n, _ := strconv.Atoi(before); got != strconv.Itoa(n+1) {
		t.Errorf("the bundle has %s certificates, this machine's %s: want one more", got, before)
	}
	for line, want := range map[string]string{
		"ls -A /etc/ssl/private 2>&1 || true": "No such file",
		"echo x >" + sandbox.AuthorityFile:    "",
	} {
		if got, exit := inside(t, with, line); !strings.Contains(got, want) || want == "" && exit.Code == 0 {
			t.Errorf("%s: %q, %+v", line, got, exit)
		}
	}
}
