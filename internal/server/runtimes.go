package server

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/node"
)

// runtimes starts the functions of managed runtimes: Node, with our own client.
type runtimes struct {
	dir    string // of the platform
	search *node.Search
	log    *slog.Logger

	mu     sync.Mutex
	client string          // written at the first function that needs it
	warned map[string]bool // by function and runtime
}

func newRuntimes(dir string, log *slog.Logger) *runtimes {
	return &runtimes{dir: dir, search: &node.Search{Getenv: os.Getenv}, log: log, warned: map[string]bool{}}
}

// compileCache is the first Node that can keep what it has compiled on disk and be
// told when to write it.
var compileCache = node.Version{Major: 22, Minor: 10}

// start says how to start a function.
func (r *runtimes) start(fn function.Function) (function.Start, error) {
	installs, err := r.search.Find(context.Background())
	if err != nil {
		return function.Start{}, err
	}
	chosen, exact, err := node.For(installs, fn.Runtime)
	if err != nil {
		return function.Start{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if said := fn.ARN + " " + fn.Runtime; !exact && !r.warned[said] {
		r.warned[said] = true
		r.log.Warn("the function runs on another Node than it asks for; `dropstack doctor` lists what is installed",
			"function", fn.ARN, "runtime", fn.Runtime, "node", chosen.Version.String())
	}
	if r.client == "" {
		if r.client, err = node.Write(filepath.Join(r.dir, "runtimes", "node")); err != nil {
			return function.Start{}, fmt.Errorf("runtime %s: %w", fn.Runtime, err)
		}
	}
	start := function.Start{
		Command: node.Command(chosen, r.client, fn.MemoryMB, fn.Environment["NODE_OPTIONS"]),
		Preboot: node.Prebootable(fn.Environment),
	}
	if chosen.Version.Compare(compileCache) >= 0 {
		start.Prepare = []string{"--prepare", fn.Handler}
	}
	return start, nil
}
