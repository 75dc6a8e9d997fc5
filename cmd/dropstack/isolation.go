package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/sandbox/escape"
	"github.com/dropstack/dropstack/internal/server"
)

// isolation tells at which level functions run, what became of the attacks of every
// control, and how to get a stronger level.
func (d *doctor) isolation(ctx context.Context, runs bool) []finding {
	if runs {
		if is, err := server.LastIsolation(d.dir); err == nil {
			return d.isolated(is, "as the platform that runs found at "+is.Time.Format(time.RFC3339))
		}
	}
	m := &sandbox.Maker{Log: slog.New(slog.DiscardHandler)}
	missing, err := m.Choose("auto")
	if err != nil {
		return []finding{{Check: "isolation", Status: statusError, Detail: err.Error()}}
	}
	defer m.Close()
	var data []string
	if st, err := os.Stat(d.dir); err == nil && st.IsDir() {
		data = []string{d.dir}
	}
	is := server.Examine(ctx, m, missing, data...)
	return d.isolated(&is, "")
}

// isolated makes findings of a report.
func (d *doctor) isolated(is *server.Isolation, source string) []finding {
	first := finding{Check: "isolation", Status: statusOK, Detail: "level " + is.Level}
	tried := 0
	var off []string
	for _, c := range is.Controls {
		tried += c.Tried
		if c.State == escape.Off {
			off = append(off, c.Name)
		}
	}
	switch {
	case is.Error != "":
		first.Status = statusWarning
		first.Detail += "; whether it holds could not be found out: " + is.Error
		first.Advice = strings.Join((&machine{root: "/", uid: os.Geteuid()}).wants(is.Level, is.Error), "; ")
	case tried > 0:
		first.Detail += fmt.Sprintf(", %d attacks made in %d ms", tried, is.TookMS)
	default:
		first.Detail += ", nothing to attack"
	}
	if source != "" {
		first.Detail += ", " + source
	}
	switch is.Level {
	case sandbox.None:
		first.Status, first.Advice = statusWarning, "functions run like any program of yours; run nobody else's"
	case sandbox.Confine:
		first.Status, first.Advice = statusWarning, "functions see the machine's files and network; run only those that you trust"
	}
	if len(off) > 0 {
		first.Status = statusWarning
		first.Advice = strings.TrimPrefix(first.Advice+"; ", "; ") + "off: " + strings.Join(off, ", ") + "; run only functions that you trust"
	}
	all := append([]finding{first}, d.stronger(is.Missing)...)
	rows := map[string][]escape.Row{}
	for _, row := range is.Rows {
		rows[row.Control] = append(rows[row.Control], row)
	}
	for _, c := range is.Controls {
		f := finding{Check: "isolation " + c.Name, Status: statusOK, State: c.State, Rows: rows[c.Name]}
		f.Detail = fmt.Sprintf("%d of %d attacks stopped", c.Held, c.Tried)
		if c.Reason != "" {
			f.Detail += "; " + c.Reason
		}
		if c.State == escape.Off || c.State == escape.Soft {
			f.Status = statusWarning
		}
		all = append(all, f)
	}
	return all
}

// stronger tells for every level that cannot be had why, and what to do about it.
func (d *doctor) stronger(missing map[string]string) (all []finding) {
	for _, level := range []string{sandbox.Full, sandbox.Userns, sandbox.Confine} {
		if why, ok := missing[level]; ok {
			m := &machine{root: "/", uid: os.Geteuid()}
			all = append(all, finding{
				Check: "isolation", Status: statusWarning, Detail: "level " + level + " cannot be had: " + why,
				Advice: strings.Join(m.wants(level, why), "; "),
			})
		}
	}
	return all
}

// machine is where a level cannot be had.
type machine struct {
	root string // of its file system
	uid  int
}

// wants is what to do to get a level, from why it cannot be had and what the
// machine says of itself: often more than one thing is missing, and the error
// tells the first.
func (m *machine) wants(level, why string) (advice []string) {
	if sandbox.Rank(level) < sandbox.Rank(sandbox.Userns) {
		return []string{"run the platform on Linux"}
	}
	why = strings.ToLower(why)
	says := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(why, w) {
				return true
			}
		}
		return false
	}
	add := func(wanted bool, text string) {
		if wanted {
			advice = append(advice, text)
		}
	}
	add(level == sandbox.Full && m.uid != 0, "start the platform as root")
	add(m.lacks("dev/net/tun") || says("tun"), "/dev/net/tun: modprobe tun, or --device /dev/net/tun for a container")
	add(m.read("proc/sys/kernel/unprivileged_userns_clone") == "0", "user namespaces: sysctl kernel.unprivileged_userns_clone=1")
	add(m.read("proc/sys/user/max_user_namespaces") == "0", "user namespaces: sysctl user.max_user_namespaces=10000")
	add(m.read("proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" && (m.uid != 0 || says("permission", "not permitted")),
		"user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that allows userns")
	add(says("cgroup", "control group"), "control groups: delegate a cgroup with memory, cpu and pids to the platform (systemd: Delegate=yes), or mount them writable in a container")
	lsm := m.read("sys/kernel/security/lsm")
	add(says("landlock", "confine files") || lsm != "" && !strings.Contains(lsm, "landlock"), "Landlock: Linux 5.13 or later, started with landlock in lsm=")
	add(len(advice) == 0 && says("not permitted", "permission"), "in a container: let it make namespaces and mounts (--privileged, or CAP_SYS_ADMIN without a seccomp profile that forbids them)")
	return advice
}

func (m *machine) lacks(name string) bool {
	_, err := os.Stat(filepath.Join(m.root, name))
	return err != nil
}

// read returns a kernel setting; "" if the machine has none of the name.
func (m *machine) read(name string) string {
	doc, err := os.ReadFile(filepath.Join(m.root, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(doc))
}
