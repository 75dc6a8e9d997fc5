package edge_test

import (
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/fault"
)

func TestLogTo(t *testing.T) {
	logged := all("web")
	logged.ID, logged.Log = "logged", &edge.LogTo{Bucket: "web-logs", Prefix: "edge/"}
	s, _ := server(t, nil, all("other"))
	logged.Default, logged.Aliases = false, []string{"a.example"}
	if err := s.Replace("web", []edge.Distribution{logged}); err != nil {
		t.Fatal(err)
	}
	if got := s.LogTo("logged"); got == nil || *got != *logged.Log {
		t.Errorf("got %+v", got)
	}
	if s.LogTo("main") != nil || s.LogTo("none") != nil {
		t.Error("a log where there is none")
	}
}

func TestLogToIsChecked(t *testing.T) {
	for want, to := range map[string]edge.LogTo{
		"is not a bucket name":   {Bucket: "Logs"},
		"is the platform's own":  {Bucket: "dropstack-artifacts"},
		"not begin with /":       {Bucket: "web-logs", Prefix: "/edge"},
		"at most 256 plain char": {Bucket: "web-logs", Prefix: "a\tb"},
	} {
		d := all("web")
		d.Log = &to
		if err := edge.Check([]edge.Distribution{d}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", to, err, want)
		}
	}
}
