// Package escape finds out whether sandboxes hold, by attacking them from inside.
//
// The table of attacks is in package probe, which is also the program that makes
// them: this one again. The platform runs the quick ones when it starts, and for
// its operator when asked; the suite runs all, fork bombs and full disks included:
//
//	Run → Furnish(the program) → Start(probe) ⇄ attacks → Report → Controls
//
// A row that does not come back has not held. What is documented not to hold at a
// level is soft, with the reason.
package escape

import (
	"context"
	"slices"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/sandbox/escape/probe"
)

// Assertion is one thing that a function must not be able to do.
type Assertion = probe.Assertion

// Assertions returns all of them, in the order of reports.
func Assertions() []Assertion { return probe.Assertions() }

// Options say what is tried.
type Options struct {
	Level string // that the sandbox is of
	Heavy bool   // also what fills memory, disks and process tables: takes seconds and, for that time, MemoryMB and DiskMB
	// Other is a second sandbox of the level, fresh as well, whose function is
	// attacked. Nil: what needs one is not run.
	Other    *sandbox.Box
	Data     []string         // directories of the platform that no function may see
	Network  *sandbox.Network // that the sandbox is connected to; nil: none
	MemoryMB int              // limit of both sandboxes; 0: 256
	DiskMB   int              // that temporary files may take; 0: 512, as on Lambda
}

// State is how an assertion or a control stands.
type State string

// The states.
const (
	On     State = "on"      // it holds
	Soft   State = "soft"    // it does not at this level, as documented
	Off    State = "off"     // it does not
	NotRun State = "not run" // it was not tried, or not all that it consists of
)

// Row is what became of one assertion.
type Row struct {
	ID      string `json:"id"`
	Control string `json:"control"`
	What    string `json:"what"`
	State   State  `json:"state"`
	Detail  string `json:"detail,omitempty"` // what stopped the attack, in the kernel's words; what could be done; why it was not tried
	Reason  string `json:"reason,omitempty"` // why it is soft
}

// Report is what became of all.
type Report struct {
	Level string `json:"level"`
	Rows  []Row  `json:"rows"`
}

// Off returns the rows that do not hold and are not documented so.
func (r Report) Off() []Row {
	return slices.DeleteFunc(slices.Clone(r.Rows), func(row Row) bool { return row.State != Off })
}

// Row returns a row by its ID.
func (r Report) Row(id string) (Row, bool) {
	for _, row := range r.Rows {
		if row.ID == id {
			return row, true
		}
	}
	return Row{}, false
}

// Control is what the sandbox does about one theme, all rows of it together.
type Control struct {
	Name   string `json:"name"`
	State  State  `json:"state"`  // On only if every row that was tried holds
	Tried  int    `json:"tried"`  // rows
	Held   int    `json:"held"`   // of those
	Reason string `json:"reason"` // of the first row that decides the state: what could be done, or what stops attacks
}

// Controls sums the rows up, in their order.
func (r Report) Controls() []Control {
	var list []Control
	at := map[string]int{}
	for _, row := range r.Rows {
		i, known := at[row.Control]
		if !known {
			i = len(list)
			at[row.Control] = i
			list = append(list, Control{Name: row.Control, State: NotRun})
		}
		list[i].add(row)
	}
	return list
}

// badness orders states: the worst of its rows is a control's.
var badness = []State{NotRun, On, Soft, Off}

func (c *Control) add(row Row) {
	if row.State != NotRun {
		c.Tried++
	}
	if row.State == On {
		c.Held++
	}
	if c.Reason != "" && slices.Index(badness, row.State) <= slices.Index(badness, c.State) {
		return
	}
	c.State, c.Reason = row.State, row.Detail
	if row.State == Off || row.State == Soft {
		c.Reason = row.ID + ": " + row.Detail
	}
	if row.Reason != "" {
		c.Reason += " (" + row.Reason + ")"
	}
}

// Check runs the quick attacks from sandboxes of a maker: what the platform does
// when it starts. Of the level none, nothing is tried.
func Check(ctx context.Context, m *sandbox.Maker, o Options) (Report, error) {
	o.Level = m.Level
	if m.Level == sandbox.None {
		return untried(m.Level), nil
	}
	box, err := m.Open()
	if err != nil {
		return Report{}, err
	}
	defer box.Close()
	if o.Other == nil {
		if o.Other, err = m.Open(); err != nil {
			return Report{}, err
		}
		defer o.Other.Close()
	}
	return Run(ctx, box, o)
}

// untried is the report of a level that has nothing to try.
func untried(level string) Report {
	r := Report{Level: level}
	for _, a := range Assertions() {
		r.Rows = append(r.Rows, Row{ID: a.ID, Control: a.Control, What: a.What, State: Soft, Detail: "not tried", Reason: softness(a, level)})
	}
	return r
}

// judge makes rows of what the probe said; nil stands for a row that it did not
// come to. Those that want not to be tried are left out. Loose is why temporary files
// have no quota; "": they have one.
func judge(level, loose string, tried func(Assertion) bool, said map[string]probe.Result, died string) Report {
	r := Report{Level: level}
	for _, a := range Assertions() {
		if !tried(a) {
			continue
		}
		row := Row{ID: a.ID, Control: a.Control, What: a.What}
		res, ok := said[a.ID]
		switch {
		case !ok:
			row.State, row.Detail = Off, "not decided: the probe ended before it"+died
		case res.State == probe.Holds:
			row.State, row.Detail = On, res.Detail
		case res.State == probe.Skipped:
			row.State, row.Detail = NotRun, res.Detail
		default:
			row.State, row.Detail = Off, res.Detail
			reason := softness(a, level)
			if a.Temporary && reason == "" {
				reason = loose
			}
			if reason != "" {
				row.State, row.Reason = Soft, reason
			}
		}
		r.Rows = append(r.Rows, row)
	}
	return r
}

// shared is why what a level does not separate does not hold there.
var shared = map[string]map[string]string{
	sandbox.Confine: {
		probe.Files:        "the machine's files are in sight; their modes protect them",
		probe.Mounts:       "a user may make namespaces of its own",
		probe.Processes:    "the machine's processes are in sight; their users protect them",
		probe.Paths:        "the machine's files are in sight; their modes protect them",
		probe.Capabilities: "the bounding set is the machine's, and a user may make namespaces of its own",
		probe.Namespaces:   "a user may make namespaces of its own",
		probe.Seccomp:      "the level has no filter of system calls",
		probe.Keyring:      "the level has no filter of system calls",
		probe.Landlock:     "the level leaves files to their modes",
		probe.Network:      "the machine's network is shared",
		probe.IPC:          "the machine's IPC is shared",
		probe.UTS:          "the machine's name is shared",
		probe.Proc:         "the machine's /proc is shared",
		probe.Sys:          "the machine's /sys is shared",
		probe.Cgroup:       "there are no control groups of its own",
		probe.Devices:      "the machine's devices are shared; their modes protect them",
		probe.Limits:       "the platform watches memory; processes are not counted",
		probe.Descriptors:  "the platform's program is started without a first process in between",
	},
}

// softness is why an assertion is documented not to hold at a level, or "".
func softness(a Assertion, level string) string {
	if level == sandbox.None {
		return "the level none isolates nothing"
	}
	if reason := a.Soft[level]; reason != "" {
		return reason
	}
	return shared[level][a.Control]
}
