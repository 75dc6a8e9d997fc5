package escape_test

import (
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox/escape"
	"github.com/dropstack/dropstack/internal/sandbox/escape/probe"
)

// said has every row hold but for some.
func said(but map[string]probe.Result) map[string]probe.Result {
	all := map[string]probe.Result{}
	for _, a := range escape.Assertions() {
		all[a.ID] = probe.Result{ID: a.ID, State: probe.Holds, Detail: "operation not permitted"}
	}
	for id, r := range but {
		if all[id] = r; r.ID == "" {
			delete(all, id)
		}
	}
	return all
}

func TestControls(t *testing.T) {
	for _, c := range []struct {
		name, level string
		loose       string
		but         map[string]probe.Result
		control     string
		state       escape.State
		reason      string
	}{
		{"all hold", "full", "", nil, "ipc", escape.On, "operation not permitted"},
		{"one does not", "full", "", map[string]probe.Result{"ipc/list": {ID: "ipc/list", State: probe.Breach, Detail: "shows some"}}, "ipc", escape.Off, "ipc/list: shows some"},
		{"one is missing", "full", "", map[string]probe.Result{"ipc/list": {}}, "ipc", escape.Off, "ipc/list: not decided: the probe ended before it: signal: killed"},
		{"one is not run", "full", "", map[string]probe.Result{"ipc/list": {ID: "ipc/list", State: probe.Skipped, Detail: "no"}}, "ipc", escape.On, "operation not permitted"},
		{"temporary files without a quota", "full", "no loop devices", map[string]probe.Result{"quota/disk": {ID: "quota/disk", State: probe.Breach, Detail: "can"}}, "quota", escape.Soft, "quota/disk: can (no loop devices)"},
		{"with one", "full", "", map[string]probe.Result{"quota/disk": {ID: "quota/disk", State: probe.Breach, Detail: "can"}}, "quota", escape.Off, "quota/disk: can"},
		{"what no quota is for", "full", "no loop devices", map[string]probe.Result{"quota/dev": {ID: "quota/dev", State: probe.Breach, Detail: "can"}}, "quota", escape.Off, "quota/dev: can"},
		{"what else is documented", "userns", "", map[string]probe.Result{"limits/fork-bomb": {ID: "limits/fork-bomb", State: probe.Breach, Detail: "can"}}, "limits", escape.Soft, "delegated"},
		{"soft at another level", "process", "", map[string]probe.Result{"limits/fork-bomb": {ID: "limits/fork-bomb", State: probe.Breach, Detail: "can"}}, "limits", escape.Soft, "processes are not counted"},
		{"hard where another is soft", "full", "", map[string]probe.Result{"limits/fork-bomb": {ID: "limits/fork-bomb", State: probe.Breach, Detail: "can"}}, "limits", escape.Off, "limits/fork-bomb: can"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, got := range escape.Judge(c.level, c.loose, said(c.but)).Controls() {
				if got.Name == c.control && (got.State != c.state || !strings.Contains(got.Reason, c.reason)) {
					t.Errorf("got %+v, want %q for %q", got, c.state, c.reason)
				}
			}
		})
	}
}

func TestTableCounts(t *testing.T) {
	r := escape.Judge("full", "", said(map[string]probe.Result{
		"ipc/list": {ID: "ipc/list", State: probe.Breach, Detail: "shows some"}, "uts/name": {ID: "uts/name", State: probe.Skipped, Detail: "why"},
	}))
	control := escape.Judge("full", "", said(map[string]probe.Result{"ipc/shm-key": {ID: "ipc/shm-key", State: probe.Breach}}))
	got := escape.Table(r, &control)
	if want := " 0 soft, 1 do not hold, 1 not run; of those that hold, 1 attacks work without a sandbox\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant at its end %q", got, want)
	}
	if off := r.Off(); len(off) != 1 || off[0].ID != "ipc/list" {
		t.Errorf("got %v off, want ipc/list", off)
	}
}
