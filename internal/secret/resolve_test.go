package secret_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret"
)

// resolving is a world with parameters of an application, which ann may read.
func resolving(t *testing.T) world {
	t.Helper()
	w := newWorld(t)
	w.put(t, secret.PutParameterInput{Name: "/app/HOST", Value: "h1"})
	w.put(t, secret.PutParameterInput{Name: "/app/HOST", Value: "h2", Overwrite: true})
	w.put(t, secret.PutParameterInput{Name: "/app/PASS", Value: "hush", Type: "SecureString"})
	w.put(t, secret.PutParameterInput{Name: "/app/db0/PASS", Value: "hush0", Type: "SecureString"})
	w.put(t, secret.PutParameterInput{Name: "/app/deep/er/X", Value: "x"})
	w.put(t, secret.PutParameterInput{Name: "/common/HOST", Value: "common"})
	w.authority.allow = []string{"ssm:GetParameter* " + prefix + "app", "ssm:GetParameter* " + prefix + "app/*", "ssm:GetParameter* " + prefix + "app/*/*", "ssm:GetParameter* " + prefix + "common"}
	return w
}

func TestEnvironmentsAreMadeOfParametersAndPaths(t *testing.T) {
	w := resolving(t)
	for name, c := range map[string]struct {
		entries []string
		want    map[string]string
	}{
		"a path":              {[]string{"/app/"}, map[string]string{"HOST": "h2", "PASS": "hush"}},
		"all below a path":    {[]string{"/app/**"}, map[string]string{"HOST": "h2", "PASS": "hush", "db0_PASS": "hush0", "deep_er_X": "x"}},
		"a parameter":         {[]string{"/app/db0/PASS"}, map[string]string{"PASS": "hush0"}},
		"an old version":      {[]string{"/app/HOST:1"}, map[string]string{"HOST": "h1"}},
		"an ARN":              {[]string{prefix + "app/HOST"}, map[string]string{"HOST": "h2"}},
		"the later one wins":  {[]string{"/app/", "/common/"}, map[string]string{"HOST": "common", "PASS": "hush"}},
		"nothing":             {nil, map[string]string{}},
		"a path with nothing": {[]string{"/app/deep/"}, map[string]string{}},
	} {
		got, err := w.Environment(w.ctx, c.entries)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %s, %v", name, diff, err)
		}
	}
}

func TestReferencesResolve(t *testing.T) {
	w := resolving(t)
	got, err := w.Resolve(w.ctx, []string{"/app/HOST:1", "/app/PASS"})
	if err != nil || got["/app/HOST:1"].Value != "h1" || got["/app/PASS"].Value != "hush" || got["/app/PASS"].Type != "SecureString" {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = w.Resolve(w.ctx, []string{"/app/NONE", "/app/HOST", "/app/HOST:9"})
	if fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "/app/NONE") || !strings.Contains(err.Error(), "/app/HOST") {
		t.Errorf("missing: %v", err)
	}
}

func TestNobodyResolvesWhatTheyMayNotRead(t *testing.T) {
	w := resolving(t)
	w.put(t, secret.PutParameterInput{Name: "/others/X", Value: "x"})
	for name, c := range map[string]struct {
		ctx     context.Context
		forbid  []string
		entries []string
	}{
		"nobody":            {t.Context(), nil, []string{"/app/HOST"}},
		"nobody, a path":    {t.Context(), nil, []string{"/app/"}},
		"not allowed":       {w.ctx, nil, []string{"/others/X"}},
		"path not allowed":  {w.ctx, nil, []string{"/others/"}},
		"denied":            {w.ctx, []string{"ssm:* " + prefix + "app/HOST"}, []string{"/app/HOST"}},
		"denied by its ARN": {w.ctx, []string{"ssm:* " + prefix + "app/HOST"}, []string{prefix + "app/HOST:1"}},
	} {
		w.authority.forbid = c.forbid
		if got, err := w.Environment(c.ctx, c.entries); fault.KindOf(err) != fault.Denied || len(got) > 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	w.authority.forbid = []string{"ssm:* " + prefix + "app/HOST"}
	got, err := w.Environment(w.ctx, []string{"/app/"})
	if diff := cmp.Diff(map[string]string{"PASS": "hush"}, got); diff != "" || err != nil {
		t.Errorf("denied below a path: %s, %v", diff, err)
	}
}

func TestReadsAreRecordedBeforeTheyAreAnswered(t *testing.T) {
	w := resolving(t)
	var got []string
	w.Record = func(_ context.Context, action string, names []string, failed error) error {
		got = append(got, action+" "+strings.Join(names, ",")+" "+fault.CodeOf(failed))
		return nil
	}
	must[map[string]string](t)(w.Environment(w.ctx, []string{"/app/"}))
	if _, err := w.Resolve(t.Context(), []string{"/app/HOST"}); err == nil {
		t.Error("nobody resolved a reference")
	}
	if diff := cmp.Diff([]string{"GetParametersByPath /app/ ", "GetParameter /app/HOST AccessDeniedException"}, got); diff != "" {
		t.Error(diff)
	}
	w.Record = func(context.Context, string, []string, error) error { return errors.New("the disk is full") }
	if got, err := w.Environment(w.ctx, []string{"/app/"}); fault.KindOf(err) != fault.Unavailable || got != nil {
		t.Errorf("unrecorded: %v, %v", got, err)
	}
	if got, err := w.Resolve(w.ctx, []string{"/app/HOST"}); fault.KindOf(err) != fault.Unavailable || got != nil {
		t.Errorf("unrecorded: %v, %v", got, err)
	}
}

func TestZeroBytesAreNoEnvironment(t *testing.T) {
	w := resolving(t)
	w.put(t, secret.PutParameterInput{Name: "/app/ZERO", Value: "hush\x00"})
	_, err := w.Environment(w.ctx, []string{"/app/ZERO"})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "/app/ZERO") || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
}
