package sandbox

import (
	"context"
	"net"
	"net/netip"
	"os"
)

// The levels of isolation, from the weakest to the strongest.
const (
	None    = "none"    // any system; development only
	Confine = "process" // Linux: limits, no new privileges, a user of its own under root
	Userns  = "userns"  // Linux without root: namespaces, an own root, seccomp, Landlock
	Full    = "full"    // root on Linux: control groups, own ids and limits besides
)

// The addresses of a sandbox's own loopback device where the platform answers.
const (
	RuntimeAddress = "127.0.0.1:9001"
	AWSAddress     = "127.0.0.1:4566" // unless the machine's own is on another port of its loopback device
)

// Mount is a directory, or a file, of this machine in a sandbox.
type Mount struct {
	Source string
	Path   string // inside
	Write  bool
	// Owner is whose files they are, with Write: the functions of one identity
	// share them. Empty: this sandbox's alone.
	Owner string
}

// Furniture makes a ready sandbox that of a function.
type Furniture struct {
	Mounts   []Mount
	MemoryMB int // 0: no limit
	Network  Network
}

// Network connects a sandbox to the world. The zero value does not.
type Network struct {
	Address netip.Addr
	// Attach takes the device and the namespace over; detach ends that.
	Attach func(ctx context.Context, tun, namespace *os.File) (detach func() error, err error)
}

// Box is the sandbox of one instance: where its processes run. A box of the level
// process or none is no more than a directory and a listener.
type Box struct {
	API net.Listener // where the Runtime API is to be served
	AWS net.Listener // where the AWS endpoint is to be served; nil: the machine's own is in reach
	Tmp string       // the directory for temporary files on this machine; inside it is /tmp

	*inside // nil: the processes see this machine's files
}

// Inside reports whether the sandbox has a file system of its own, in which a
// function finds its files where it does on Lambda.
func (b *Box) Inside() bool { return b.inside != nil }
