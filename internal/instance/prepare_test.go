package instance

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/fault"
)

func TestPrepare(t *testing.T) {
	p, _ := newPool(t)
	cfg := probe()
	cfg.Cache = shared(t)
	cfg.Env = map[string]string{"OWN": "mine"}
	cfg.Command = []string{"/bin/sh", "-c", `echo "$1 $OWN" > "$DROPSTACK_COMPILE_CACHE/said"`, "sh"}
	if err := p.Prepare(t.Context(), cfg, "--prepare"); err != nil {
		t.Fatal(err)
	}
	if said, err := os.ReadFile(filepath.Join(cfg.Cache, "said")); string(said) != "--prepare mine\n" {
		t.Errorf("got %q, %v", said, err)
	}
	cfg.Command = []string{"/bin/sh", "-c", "echo no such module >&2; exit 3"}
	if err := p.Prepare(t.Context(), cfg); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "exit status 3: no such module") {
		t.Errorf("got %v, want the complaint", err)
	}
	cfg.Command = []string{"/bin/sh", "-c", "sleep 1000"}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if err := p.Prepare(ctx, cfg); !errors.Is(err, enough) {
		t.Errorf("got %v, want %v", err, enough)
	}
}
