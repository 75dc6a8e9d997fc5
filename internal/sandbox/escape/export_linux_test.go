package escape

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/sandbox/cgroup"
	"github.com/dropstack/dropstack/internal/sandbox/escape/probe"
)

// Unconfined makes the attacks that are safe to try from a plain child process.
func Unconfined(scratch string) (Report, error) {
	prog, err := find(true)
	if err != nil {
		return Report{}, err
	}
	defer prog.done()
	host, err := surround(nil, true)
	if err != nil {
		return Report{}, err
	}
	defer host.close()
	w := probe.World{Heavy: true, DiskMB: 512, Scratch: scratch, Task: scratch, Secret: host.secret, Host: host.Host}
	doc, err := json.Marshal(w)
	if err != nil {
		return Report{}, err
	}
	cmd := exec.Command(prog.dir+"/"+prog.name, probe.Name)
	cmd.Dir = scratch
	cmd.Env = []string{probe.Variable + "=" + string(doc), "HOME=/root"}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return Report{}, fmt.Errorf("%w: %s", err, errs.Bytes())
	}
	return judge("without", "", func(a Assertion) bool { return tried(a, w) }, results(bytes.NewReader(out)), ""), nil
}

// Bomb fills a sandbox with processes that stay.
func Bomb(box *sandbox.Box) (*sandbox.Process, error) {
	prog, err := find(true)
	if err != nil {
		return nil, err
	}
	defer prog.done()
	if err := prog.furnish(box, Options{MemoryMB: 1024}); err != nil {
		return nil, err
	}
	return prog.start(box, probe.World{Processes: cgroup.PidsMax}, "bomb")
}

// Judge makes a report of what a probe might have said.
func Judge(level, loose string, said map[string]probe.Result) Report {
	return judge(level, loose, func(Assertion) bool { return true }, said, ": signal: killed")
}
