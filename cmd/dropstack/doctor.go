package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/node"
	"github.com/dropstack/dropstack/internal/sandbox/escape"
	"github.com/dropstack/dropstack/internal/spec"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// finding is the result of one check.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"` // statusOK, statusWarning or statusError
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"`
	// Of a control of isolation: how it stands, and what became of its attacks.
	State escape.State `json:"state,omitempty"`
	Rows  []escape.Row `json:"attacks,omitempty"`
}

// What a finding means: as it should be; works, but not as somebody may expect;
// the platform cannot be used like that.
const (
	statusOK      = "ok"
	statusWarning = "warning"
	statusError   = "error"
)

// doctor is one look at this machine.
type doctor struct {
	dir   string
	key   string // where the root key is, as up --root-key has it
	ports []struct{ flag, addr string }
	nodes func(context.Context) ([]node.Install, error)
	// certificates asks the platform that runs.
	certificates func(context.Context) (certificate.Status, error)
}

func (c *cli) doctor() *cobra.Command {
	var edge, secure, aws, console, place string
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine has for the platform and its functions",
		Long: `Looks for the Go toolchain and for Node, tells which Node runs functions of each
runtime, and whether the data directory and the ports can be used.

Attacks the platform from inside of a sandbox, as it does itself at every start,
and tells of every control of isolation whether it held: on; soft, which the
level is documented not to stop; or off. If the platform runs, its own report is
shown. What a stronger level takes is told with it.

Exit code 1 means that the platform cannot be used like that; what is only
different from what a service may expect is a warning.`,
		Example: "  dropstack doctor\n  dropstack doctor --data /srv/dropstack --http 0.0.0.0:80\n  dropstack doctor --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			search := &node.Search{Getenv: os.Getenv}
			d := &doctor{dir: c.data, key: place, nodes: search.Find, ports: []struct{ flag, addr string }{{"--http", edge}, {"--https", secure}, {"--aws", aws}, {"--console", console}}}
			d.certificates = func(ctx context.Context) (s certificate.Status, err error) {
				client, err := c.client(cmd)
				if err == nil {
					err = client.Call(ctx, "DescribeCertificates", struct{}{}, &s)
				}
				return s, err
			}
			return c.report(d.look(cmd.Context()))
		},
	}
	f := command.Flags()
	f.StringVar(&edge, "http", env("DROPSTACK_HTTP", "127.0.0.1:8080"), "address of the edge ($DROPSTACK_HTTP)")
	f.StringVar(&secure, "https", env("DROPSTACK_HTTPS", "127.0.0.1:8443"), "address of the edge for HTTPS, or off ($DROPSTACK_HTTPS)")
	f.StringVar(&aws, "aws", env("DROPSTACK_AWS", "127.0.0.1:4566"), "address of the AWS endpoint ($DROPSTACK_AWS)")
	f.StringVar(&console, "console", env("DROPSTACK_CONSOLE", "127.0.0.1:8090"), "address of the console and the health checks ($DROPSTACK_CONSOLE)")
	f.StringVar(&place, "root-key", os.Getenv("DROPSTACK_ROOT_KEY"), "where the root key is ($DROPSTACK_ROOT_KEY)")
	return command
}

// report prints findings; an error among them is the command's.
func (c *cli) report(all []finding) error {
	wrong := 0
	table := tabwriter.NewWriter(c.stdout, 0, 4, 2, ' ', 0)
	for _, f := range all {
		if f.Status == statusError {
			wrong++
		}
		if c.json {
			c.writeJSON(c.stdout, f)
			continue
		}
		detail := f.Detail
		if f.Advice != "" {
			detail += "; " + f.Advice
		}
		status := f.Status
		if f.State != "" {
			status = string(f.State)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Check, status, detail)
	}
	_ = table.Flush() // a closed pipe has nobody to tell
	if wrong > 0 {
		return &silent{fmt.Errorf("%d checks failed", wrong)}
	}
	return nil
}

// look makes every check, in the order in which they are printed.
func (d *doctor) look(ctx context.Context) []finding {
	at, runs := running(ctx, d.dir)
	all := append([]finding{kernel()}, d.isolation(ctx, runs)...)
	goTool := goToolchain(ctx)
	installs, err := d.nodes(ctx)
	nodes := nodeFindings(installs, err)
	if goTool.Status != statusOK && len(installs) == 0 {
		goTool.Status = statusError // then nothing can run but what was built elsewhere
	}
	all = append(append(all, goTool), nodes...)
	all = append(all, runtimes(installs)...)
	all = append(all, dataDirectory(d.dir))
	if f, ok := d.rootKey(); ok {
		all = append(all, f)
	}
	if runs {
		all = append(all, finding{Check: "platform", Status: statusOK, Detail: fmt.Sprintf("runs on %s, answers at %s (HTTPS: %s, AWS: %s, console: %s)", d.dir, at.HTTP, cmp.Or(at.HTTPS, "off"), at.AWS, at.Console)})
		s, err := d.certificates(ctx)
		if err != nil {
			return append(all, finding{Check: "certificates", Status: statusWarning, Detail: "the platform does not tell: " + err.Error()})
		}
		return append(all, certificateFindings(s)...)
	}
	for _, p := range d.ports {
		if p.addr == "off" {
			continue
		}
		all = append(all, port(ctx, p.flag, p.addr))
	}
	return all
}

func kernel() finding {
	f := finding{Check: "kernel", Status: statusOK, Detail: runtime.GOOS + "/" + runtime.GOARCH}
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		f.Detail = fmt.Sprintf("%s %s, %s", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]), runtime.GOARCH)
	}
	if runtime.GOOS != "linux" {
		f.Status, f.Advice = statusWarning, "functions are built for Linux; other systems are for development only"
	}
	return f
}

// asking bounds how long a program may take to tell its version.
const asking = 30 * time.Second

func goToolchain(ctx context.Context) finding {
	f := finding{Check: "go", Status: statusWarning, Advice: "install Go from https://go.dev/dl to build functions in Go, or start with `dropstack up --services none` and deploy what was built elsewhere"}
	path, err := exec.LookPath("go")
	if err != nil {
		f.Detail = "no go command on the PATH"
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "env", "GOVERSION")
	cmd.Dir = os.TempDir() // no go.mod of the working directory has a say
	out, err := cmd.Output()
	if err != nil {
		f.Detail = fmt.Sprintf("%s does not tell its version: %v", path, err)
		return f
	}
	return finding{Check: "go", Status: statusOK, Detail: strings.TrimSpace(string(out)) + " " + path}
}

func nodeFindings(installs []node.Install, err error) (all []finding) {
	if err != nil {
		all = append(all, finding{Check: "node", Status: statusError, Detail: err.Error()})
	}
	for _, in := range installs {
		all = append(all, finding{Check: "node", Status: statusOK, Detail: in.Version.String() + " " + in.Path})
	}
	if len(all) == 0 {
		all = append(all, finding{Check: "node", Status: statusWarning, Detail: "no Node was found", Advice: "install one from https://nodejs.org to run functions in Node, or name its executable in DROPSTACK_NODE"})
	}
	return all
}

// runtimes tells what runs functions of each runtime.
func runtimes(installs []node.Install) (all []finding) {
	for _, name := range spec.Runtimes {
		f := finding{Check: name, Status: statusOK, Detail: "starts the function's own program"}
		if spec.IsNode(name) {
			in, exact, err := node.For(installs, name)
			switch {
			case err != nil:
				f.Status, f.Detail = statusWarning, "no Node runs it"
			case exact:
				f.Detail = "Node " + in.Version.String()
			default:
				f.Status, f.Detail = statusWarning, fmt.Sprintf("Node %s, another major version than the runtime's", in.Version)
			}
		}
		all = append(all, f)
	}
	return all
}

// little is the disk space, in bytes, below which an operator should know.
const little = 1 << 30

// dataDirectory checks that files can be made in the data directory, or, when it
// is not there yet, that it can be made.
func dataDirectory(dir string) finding {
	f := finding{Check: "data directory", Status: statusOK, Detail: dir}
	if dir == "" {
		return finding{Check: f.Check, Status: statusError, Detail: "there is none", Advice: "name one with --data"}
	}
	at := dir
	info, err := os.Stat(at)
	for errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
		at = filepath.Dir(at)
		info, err = os.Stat(at)
	}
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", at)
	}
	if err == nil {
		err = writable(at)
	}
	if err != nil {
		return finding{Check: f.Check, Status: statusError, Detail: dir + ": " + err.Error(), Advice: "name another with --data"}
	}
	if at != dir {
		f.Detail += " (will be made)"
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(at, &disk); err != nil {
		return f
	}
	free := disk.Bavail * uint64(disk.Bsize)
	f.Detail += fmt.Sprintf(", %.1f GB free", float64(free)/1e9)
	if free < little {
		f.Status, f.Advice = statusWarning, "little space is left"
	}
	return f
}

func writable(dir string) error {
	tmp, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(tmp.Close(), os.Remove(tmp.Name()))
}

// running finds the platform that runs on a data directory.
func running(ctx context.Context, dir string) (at api.Endpoints, ok bool) {
	doc, err := os.ReadFile(filepath.Join(dir, "run", "endpoints.json"))
	if err != nil || json.Unmarshal(doc, &at) != nil {
		return at, false
	}
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.Console+"/healthz", nil)
	if err != nil {
		return at, false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return at, false // an earlier one's
	}
	return at, resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

func port(ctx context.Context, flag, addr string) finding {
	f := finding{Check: "port " + flag, Status: statusOK, Detail: addr + " is free"}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return finding{Check: f.Check, Status: statusError, Detail: err.Error(), Advice: "write host:port, such as 127.0.0.1:8080"}
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		f.Status, f.Detail, f.Advice = statusWarning, err.Error(), "choose another with "+flag+"; port 0 picks a free one"
		return f
	}
	_ = l.Close() // nobody has connected
	return f
}
