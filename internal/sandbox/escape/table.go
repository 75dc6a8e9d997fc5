package escape

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Table prints a report, and beside it what the same attacks did in a control run
// without a sandbox: one that works there and not here tests the sandbox, any
// other holds by what the machine lacks. control may be nil.
func Table(r Report, control *Report) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	head := "assertion\ta function must not\tstate\tbecause"
	if control != nil {
		head += "\twithout a sandbox"
	}
	fmt.Fprintln(w, head)
	count, tests := map[State]int{}, 0
	for _, row := range r.Rows {
		count[row.State]++
		because := row.Detail
		if row.Reason != "" {
			because += " (" + row.Reason + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s", row.ID, row.What, row.State, because)
		if control != nil {
			word, works := beside(*control, row)
			if works {
				tests++
			}
			fmt.Fprintf(w, "\t%s", word)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // into memory
	fmt.Fprintf(&b, "level %s: %d assertions: %d hold, %d soft, %d do not hold, %d not run", r.Level, len(r.Rows), count[On], count[Soft], count[Off], count[NotRun])
	if control != nil {
		fmt.Fprintf(&b, "; of those that hold, %d attacks work without a sandbox", tests)
	}
	return b.String() + "\n"
}

// beside is what the control run says of a row, and whether the sandbox is what
// stops the attack.
func beside(control Report, row Row) (word string, tests bool) {
	c, ok := control.Row(row.ID)
	switch {
	case !ok:
		return "not tried: it would change the machine", false
	case c.State == Off:
		return "works", row.State == On
	case c.State == NotRun:
		return "not run: " + c.Detail, false
	}
	return "stopped: " + c.Detail, false
}

// ControlTable prints the controls of a report.
func ControlTable(r Report) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "control\tstate\theld\treason")
	for _, c := range r.Controls() {
		fmt.Fprintf(w, "%s\t%s\t%d of %d\t%s\n", c.Name, c.State, c.Held, c.Tried, c.Reason)
	}
	_ = w.Flush() // into memory
	return b.String()
}
