// Package server builds every room, connects them and takes them down.
package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric/promapi"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/secret/root"
	"github.com/dropstack/dropstack/internal/topic"
)

// Config is everything an operator can choose. It is checked whole before
// anything starts.
type Config struct {
	Dir     string // data directory
	HTTP    string // host:port of the edge; port 0 picks a free one
	HTTPS   string // host:port of the edge for HTTPS; "off", which "" means too: none
	HTTP3   bool   // HTTP/3 by UDP at the address of HTTPS
	AWS     string // host:port of the AWS endpoint
	Console string // host:port of the health checks
	Region  string // default us-east-1
	// Isolation is the level at which functions run: full, userns, process or none; auto,
	// which "" means too, is the strongest that this machine has.
	Isolation string
	// Network is the engine that carries the packets of functions in sandboxes:
	// "user", which "" means too, or "kernel", which takes root.
	Network      string
	MinIsolation string // with less the platform does not start; "": any
	// AuditHeads is a URL or a directory to which the heads of the audit log are
	// published; "": nowhere.
	AuditHeads string
	AuditKeep  time.Duration // how long audit records are kept; 0: 400 days
	// SMTP is the mail server for subscriptions by e-mail; without a Server there
	// are none.
	SMTP topic.SMTP
	// PrivateEndpoints lets everybody who may subscribe have messages sent to
	// loopback and private addresses; without it only the administrator may.
	PrivateEndpoints bool
	// StatusTitle heads the public status page; "": Service status.
	StatusTitle string
	// MonitorInterval is the shortest interval that a monitor may have; 0: 10 seconds.
	MonitorInterval time.Duration
	// ACME gets certificates for the aliases of distributions.
	ACME ACME
	// TLSAsk is a URL that decides for host names that only a wildcard alias or the
	// default distribution answers to; "": none of them gets a certificate.
	TLSAsk string
	// RootKey is where the key is under which secrets are sealed; nil is the file
	// root.key of the data directory.
	RootKey root.Provider
	Keep    deploy.Keep // how much of the past of stacks is kept; what is 0 is deploy.DefaultKeep's
	// TrustedProxies are the reverse proxies in front of the edge, whose X-Forwarded-*
	// headers count and who are never banned.
	TrustedProxies []netip.Prefix
	// EdgeLimits keep clients of the edge from taking the machine from each other.
	EdgeLimits edge.Limits
	// FloodLimit is how many requests a client may make in 5 minutes until it is
	// banned for a while; 0: 2000, negative: as many as it likes.
	FloodLimit int
	// CacheMemory and CacheDisk bound what the edge stores, in bytes; 0: 128 MiB of
	// memory, and nothing on disk.
	CacheMemory, CacheDisk int64
	ShadowBans             bool // bans are written down only
	// RemoteWrite is where what is measured is sent: URLs, or files in the form of
	// prometheus.yml.
	RemoteWrite []string
	sendTo      *promapi.Targets // what they say; nil: nowhere
	// Alerts is a file in Alertmanager's format that says who is told of alerts; "": as
	// `dropstack alert receivers put` has said.
	Alerts string
	// AlertEmail gets mail about alerts, by SMTP, as long as nobody has said who is told.
	AlertEmail string
	// Rules are files of alert rules in Prometheus' format, or directories of some.
	Rules        []string
	WithoutRules []string // names of built-in rules that are off, or "all"
	Log          *slog.Logger
	// Ready is called once everything serves, with what it serves on. Optional.
	Ready func(*Platform)
}

func (c *Config) check() error {
	if c.Dir == "" {
		return fault.Errorf(fault.Invalid, "no data directory; name one with --data")
	}
	abs, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	c.Dir = abs
	if c.RootKey == nil {
		c.RootKey = root.File{Path: filepath.Join(abs, "root.key")}
	}
	if c.Isolation == "" {
		c.Isolation = "auto"
	}
	if c.MinIsolation != "" && sandbox.Rank(c.MinIsolation) < 0 {
		return fault.Errorf(fault.Invalid, "--min-isolation %q: the levels are full, userns, process and none", c.MinIsolation)
	}
	if c.SMTP.Server != "" {
		if err := c.SMTP.Check(); err != nil {
			return fault.Errorf(fault.Invalid, "--smtp: %w", err)
		}
	}
	if err := c.checkAlerts(); err != nil {
		return err
	}
	if c.Keep.Revisions < 0 || c.Keep.Versions < 0 {
		return fault.Errorf(fault.Invalid, "--keep-revisions %d, --keep-versions %d: at least 1, or 0 for the default", c.Keep.Revisions, c.Keep.Versions)
	}
	if c.CacheMemory < 0 || c.CacheDisk < 0 {
		return fault.Errorf(fault.Invalid, "--cache-memory %d, --cache-disk %d: a number of MB that is not negative", c.CacheMemory>>20, c.CacheDisk>>20)
	}
	if c.MonitorInterval != 0 && c.MonitorInterval < time.Second {
		return fault.Errorf(fault.Invalid, "--monitor-interval %v: at least a second", c.MonitorInterval)
	}
	if err := c.EdgeLimits.Check(); err != nil {
		return err
	}
	if len(c.RemoteWrite) > 0 {
		if c.sendTo, err = promapi.ReadTargets(c.RemoteWrite); err != nil {
			return fmt.Errorf("--remote-write: %w", err)
		}
	}
	if c.AuditKeep < 0 {
		return fault.Errorf(fault.Invalid, "--audit-keep %v: a number of days, or 0 for the default", c.AuditKeep)
	}
	if c.AuditHeads != "" {
		if c.AuditHeads, err = audit.Destination(c.AuditHeads); err != nil {
			return err
		}
	}
	if err := c.checkTLS(); err != nil {
		return err
	}
	for _, l := range []struct{ flag, addr string }{{"--http", c.HTTP}, {"--https", c.HTTPS}, {"--aws", c.AWS}, {"--console", c.Console}} {
		if l.flag == "--https" && l.addr == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(l.addr); err != nil {
			return fault.Errorf(fault.Invalid, "%s %q is not host:port, such as 127.0.0.1:8080: %w", l.flag, l.addr, err)
		}
	}
	return nil
}

// DefaultDir is where data is kept unless somebody says otherwise:
// $DROPSTACK_DATA, else $XDG_DATA_HOME/dropstack, for root /var/lib/dropstack.
func DefaultDir() string {
	if dir := os.Getenv("DROPSTACK_DATA"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "dropstack")
	}
	if os.Geteuid() == 0 {
		return "/var/lib/dropstack"
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "share", "dropstack")
}

// endpointsFile tells commands where the platform of a data directory answers.
func endpointsFile(dir string) string { return filepath.Join(dir, "run", "endpoints.json") }

// RunningEndpoint is the AWS endpoint of the platform that runs on dir, or the
// default one.
func RunningEndpoint(dir string) string {
	var e api.Endpoints
	doc, err := os.ReadFile(endpointsFile(dir))
	if err == nil {
		err = json.Unmarshal(doc, &e)
	}
	if err != nil || e.AWS == "" {
		return "http://127.0.0.1:4566"
	}
	return e.AWS
}

func writeEndpoints(dir string, e api.Endpoints) error {
	doc, err := json.Marshal(e)
	if err != nil {
		return err
	}
	path := endpointsFile(dir)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, doc, 0o600)
}

// reach turns a listener's address into a URL that this machine reaches it by.
func reach(l net.Listener) string {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "http://" + l.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// listen opens a listener, with words for who has to free the port.
func listen(flag, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "%s %s: %w; is something else listening there? port 0 picks a free one", flag, addr, err)
	}
	return l, nil
}

// mkdirs makes the directories that rooms expect below the data directory.
// Functions run as users of their own and must be able to pass through.
func mkdirs(dir string, names ...string) error {
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o711); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	return nil
}

// sweep removes what a crash left behind: temporary directories of instances, and
// artifacts that were being downloaded or unpacked.
func sweep(dir string) error {
	left := []string{filepath.Join(dir, "instances")}
	for _, pattern := range []string{"artifacts/download-*.zip", "artifacts/.unpack-*", "layers/.unpack-*", "caches/.unpack-*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		left = append(left, found...)
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return nil
}
