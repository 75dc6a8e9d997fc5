package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/testkit"
)

// TestStrangersNeedTheToken: as soon as the edge can be reached from elsewhere,
// nobody is the owner for coming from this machine.
func TestStrangersNeedTheToken(t *testing.T) {
	p := testkit.Start(t, testkit.Dir(t), "--http", "0.0.0.0:0")
	token, err := os.ReadFile(filepath.Join(p.Dir, "upload-token"))
	if err != nil {
		t.Fatal(err)
	}
	put := func(authorization string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.HTTP+"/note.txt", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		req.Header.Set("X-Dropstack-Owner", "1") // anybody can write that
		resp, err := visitor.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	for authorization, want := range map[string]int{
		"":             http.StatusUnauthorized,
		"Bearer guess": http.StatusUnauthorized,
		"Bearer " + strings.TrimSpace(string(token)): http.StatusCreated,
	} {
		if got := put(authorization); got != want {
			t.Errorf("with a token of %d characters: got %d, want %d", len(authorization), got, want)
		}
	}
	if status, _, _ := mustGet(t, p.HTTP+"/my"); status != http.StatusForbidden {
		t.Errorf("/my: got %d, want 403", status)
	}
	for _, name := range []string{"credentials", "upload-token", "root.key"} {
		st, err := os.Stat(filepath.Join(p.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %o, want 600", name, st.Mode().Perm())
		}
	}
}
