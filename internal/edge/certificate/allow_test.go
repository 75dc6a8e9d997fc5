package certificate_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/certificate"
)

// TestAskURL: 200 is yes and nothing else, and a server that fails has not said no.
func TestAskURL(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/may" || r.FormValue("for") != "edge" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		switch r.FormValue("domain") {
		case "yes.example.com":
			w.WriteHeader(http.StatusOK)
		case "created.example.com":
			w.WriteHeader(http.StatusCreated)
		case "elsewhere.example.com":
			http.Redirect(w, r, "/may?for=edge&domain=yes.example.com", http.StatusFound)
		case "broken.example.com":
			w.WriteHeader(http.StatusBadGateway)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(srv.Close)
	ask, err := certificate.AskURL(srv.URL + "/may?for=edge")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"yes.example.com": true, "no.example.com": false, "created.example.com": false, "elsewhere.example.com": false, "a&domain=yes.example.com": false,
	} {
		if got, err := ask(t.Context(), name); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, want)
		}
	}
	if _, err := ask(t.Context(), "broken.example.com"); err == nil {
		t.Error("a server that fails has answered")
	}
	for _, address := range []string{"", "example.com/may", "ftp://example.com/may", "http://", "function:may"} {
		if _, err := certificate.AskURL(address); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
}
