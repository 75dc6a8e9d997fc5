package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// Sweep takes back what engines of processes that are gone have left in the machine's
// own network: tables, and forwarding that they turned on. Their devices went with
// them. A platform calls it at its start, whichever engine it has now, and before that
// engine carries anything.
func Sweep() error {
	nft, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return fmt.Errorf("sweep the host's network: %w", err)
	}
	was, others, err := bury(nft)
	if err == nil && !others { // whom it serves too
		err = was.putBack()
	}
	if err = errors.Join(err, nft.CloseLasting()); err != nil {
		return fmt.Errorf("sweep the host's network: %w", err)
	}
	return nil
}

// bury deletes the tables of processes that have ended without doing so. It returns
// what one of them has turned on and is to be put back, nil if none has, and whether
// other engines live.
func bury(nft *nftables.Conn) (was *forwarding, others bool, err error) {
	tables, err := nft.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, false, fmt.Errorf("list the host's nftables: %w", err)
	}
	for _, t := range tables {
		number, ours := strings.CutPrefix(t.Name, tablePrefix)
		pid, err := strconv.Atoi(number)
		if !ours || err != nil {
			continue
		}
		if pid != os.Getpid() && !errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			others = true
			continue
		}
		if c, err := nft.ListChain(t, chainForwards); err == nil && c != nil {
			was = was.with(forwarders(nft, t))
		}
		nft.DelTable(t)
	}
	return was, others, nft.Flush()
}

func forwarders(nft *nftables.Conn, t *nftables.Table) (devices []string) {
	set := forwardersSet()
	set.Table = t
	elements, err := nft.GetSetElements(set)
	if err != nil { // of an earlier version of ours
		return nil
	}
	for _, e := range elements {
		devices = append(devices, string(bytes.TrimRight(e.Key, "\x00")))
	}
	return devices
}

// forwarding is the host's settings before ip_forward was turned on, which
// overwrites those of all devices.
type forwarding struct{ devices []string } // that forwarded by themselves

const forwardAll = "/proc/sys/net/ipv4/ip_forward"

func forwardOf(device string) string {
	return filepath.Join("/proc/sys/net/ipv4/conf", device, "forwarding")
}

// with adds devices.
func (f *forwarding) with(devices []string) *forwarding {
	if f != nil {
		devices = slices.Concat(f.devices, devices)
	}
	return &forwarding{devices}
}

// forward turns ip_forward on; nil when it was. was has been turned on by a process
// of ours that died.
func forward(was *forwarding) (*forwarding, error) {
	now, err := os.ReadFile(forwardAll)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(string(now)) != "0" {
		return was, nil
	}
	f := &forwarding{}
	paths, _ := filepath.Glob(forwardOf("*")) // the pattern is a constant
	for _, path := range paths {
		if v, err := os.ReadFile(path); err == nil && bytes.HasPrefix(v, []byte("1")) {
			f.devices = append(f.devices, filepath.Base(filepath.Dir(path)))
		}
	}
	if err := os.WriteFile(forwardAll, []byte("1"), 0o644); err != nil {
		return nil, fmt.Errorf("turn on forwarding for NAT (or set net.ipv4.ip_forward=1 yourself): %w", err)
	}
	return f, nil
}

func (f *forwarding) putBack() error {
	if f == nil {
		return nil
	}
	if err := os.WriteFile(forwardAll, []byte("0"), 0o644); err != nil {
		return fmt.Errorf("turn forwarding off again: %w", err)
	}
	for _, device := range f.devices {
		if err := os.WriteFile(forwardOf(device), []byte("1"), 0o644); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
