package server

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/sandbox/escape"
)

var (
	whole    = escape.Control{Name: "files", State: escape.On, Tried: 3, Held: 3}
	unfenced = escape.Control{Name: "landlock", State: escape.Off, Tried: 2, Held: 1, Reason: "landlock/read: can read /etc/shadow"}
	shared   = escape.Control{Name: "network", State: escape.Soft, Tried: 2, Reason: "network/host: shared"}
)

func TestEnough(t *testing.T) {
	for _, c := range []struct {
		name  string
		is    Isolation
		least string
		want  []string // words of the refusal; nil: none
	}{
		{"nothing asked for", Isolation{Level: sandbox.None, Controls: []escape.Control{unfenced}}, "", nil},
		{"all on", Isolation{Level: sandbox.Full, Controls: []escape.Control{whole}}, sandbox.Full, nil},
		{"soft is documented", Isolation{Level: sandbox.Confine, Controls: []escape.Control{whole, shared}}, sandbox.Confine, nil},
		{"off", Isolation{Level: sandbox.Full, Controls: []escape.Control{whole, unfenced}}, sandbox.Full, []string{"control landlock is off", "landlock/read", "/etc/shadow"}},
		{"lower than asked for", Isolation{Level: sandbox.Confine, Missing: map[string]string{sandbox.Full: "no tun device"}}, sandbox.Full, []string{"process", "full", "no tun device"}},
		{"lower by choice", Isolation{Level: sandbox.Confine}, sandbox.Full, []string{"process", "full", "--isolation"}},
		{"not known", Isolation{Level: sandbox.Full, Error: "the probe did not start"}, sandbox.Full, []string{"could not be found out", "the probe did not start"}},
	} {
		err := c.is.enough("--min-isolation", c.least)
		if (err != nil) != (c.want != nil) {
			t.Errorf("%s: got %v, want an error: %v", c.name, err, c.want != nil)
			continue
		}
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got kind %v, want %v", c.name, fault.KindOf(err), fault.Invalid)
		}
		for _, word := range c.want {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: got %q, want it to say %q", c.name, err, word)
			}
		}
	}
}

// TestIsolatedAsAFunctionAsks: the attacks are made when the first asks whom the
// level would do, and not for others.
func TestIsolatedAsAFunctionAsks(t *testing.T) {
	for _, c := range []struct {
		name, level, least string
		controls           []escape.Control
		asked              int
		want               string // of the refusal; "": none
	}{
		{"too low", sandbox.Confine, sandbox.Full, nil, 0, "level process, and its minIsolation asks for full: no tun device"},
		{"no isolation is enough", sandbox.Full, sandbox.None, nil, 0, ""},
		{"all on", sandbox.Full, sandbox.Userns, []escape.Control{whole, shared}, 1, ""},
		{"one off", sandbox.Full, sandbox.Full, []escape.Control{whole, unfenced}, 1, "its minIsolation full: control landlock is off: landlock/read"},
	} {
		asked := 0
		r := &rooms{boxes: &sandbox.Maker{Level: c.level}, missing: map[string]string{sandbox.Full: "no tun device"}, examined: func() *Isolation {
			asked++
			return &Isolation{Level: c.level, Controls: c.controls}
		}}
		err := r.isolated(c.least)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) || asked != c.asked {
			t.Errorf("%s: got %v, attacked %d times; want %q and %d", c.name, err, asked, c.want, c.asked)
		}
	}
}

func TestNoSilentDowngrade(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	before := &Isolation{Level: sandbox.Full, Controls: []escape.Control{{Name: "landlock", State: escape.On}}}
	is := &Isolation{Level: sandbox.Confine, Missing: map[string]string{sandbox.Full: "no tun device"}, Controls: []escape.Control{whole, unfenced, shared}}
	is.tell(log, before)
	for _, words := range []string{
		"a stronger isolation level cannot be had", "no tun device", "functions run at a lower level than after the last start",
		"isolation control is off", "landlock/read", "the control held after the last start",
	} {
		if !strings.Contains(out.String(), words) {
			t.Errorf("the log lacks %q:\n%s", words, &out)
		}
	}
	out.Reset()
	before.tell(log, is)
	if out.Len() > 0 {
		t.Errorf("an upgrade, got a log:\n%s", &out)
	}
}

func TestReportIsKept(t *testing.T) {
	dir := t.TempDir()
	if _, err := LastIsolation(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the first start: got %v, want that there is none", err)
	}
	is := &Isolation{Level: sandbox.Full, Controls: []escape.Control{whole}}
	if err := is.save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := LastIsolation(dir)
	if err != nil || got.Level != is.Level || len(got.Controls) != 1 || got.Controls[0] != whole {
		t.Errorf("got %+v, %v, want %+v", got, err, is)
	}
	if st, err := os.Stat(isolationFile(dir)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 0600", st.Mode(), err)
	}
	for range 2 { // the second start finds none of the first's
		if err := retire(dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := LastIsolation(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("at the next start: got %v, want that there is none yet", err)
	}
	if before, err := readIsolation(earlierFile(dir)); err != nil || before.Level != sandbox.Full {
		t.Errorf("the one before: got %+v, %v", before, err)
	}
	if names, err := filepath.Glob(filepath.Join(dir, "run", ".*")); err != nil || len(names) > 0 {
		t.Errorf("left: %v, %v", names, err)
	}
}

// TestMinimum asks real sandboxes.
func TestMinimum(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not run: sandboxes exist on Linux alone")
	}
	config := func(isolation string) Config {
		cfg := Config{Dir: t.TempDir(), Isolation: isolation, MinIsolation: sandbox.Full, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
		if err := os.Mkdir(filepath.Join(cfg.Dir, "instances"), 0o711); err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	if m, _, _, err := boxes(t.Context(), config(sandbox.Confine), api.Endpoints{}, nil); err == nil {
		m.Close()
		t.Error("level process is taken for full")
	} else if !strings.Contains(err.Error(), "--min-isolation asks for full") {
		t.Errorf("got %q", err)
	}
	probe := &sandbox.Maker{TempDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	_, err := probe.Choose(sandbox.Full)
	probe.Close()
	if err != nil {
		t.Skipf("not run: %v", err)
	}
	cfg := config("auto")
	m, missing, _, err := boxes(t.Context(), cfg, api.Endpoints{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Level != sandbox.Full || len(missing) > 0 {
		t.Errorf("got level %s, missing %v", m.Level, missing)
	}
	is, err := LastIsolation(cfg.Dir) // it has been found out before the start goes on
	if err != nil || is.Level != sandbox.Full || len(is.Rows) == 0 || is.Time.IsZero() {
		t.Errorf("the report: got %+v, %v", is, err)
	}
}
