// Package guest is the first process of a sandbox: this program again, started
// in new namespaces under the name Name, before anything else of it has run.
//
// It builds the file system, listens where the function will look for the
// platform, hands the listeners over and then does what it is told on its
// socket: attach files, start processes, report their ends. It reaps orphans, as
// the first process of a process-id namespace has to, and it ends, and all of the
// sandbox with it, when the socket closes.
//
//	platform: spawn → Build → Furnish → Start … → close the socket
//	guest:            └ listeners   └ process id, later Exit
package guest

import "syscall"

// Name is what the program is called when it is to be the guest.
const Name = "dropstack-sandbox"

// Socket is the descriptor of the guest's end of the socket pair, of type
// SOCK_SEQPACKET: a message each packet, in JSON, descriptors beside it.
const Socket = 3

// MaxMessage is the most bytes a message may have.
const MaxMessage = 160 << 10

// Request is what the platform asks for; exactly one of the parts is set.
type Request struct {
	ID      int      `json:"id"`
	Build   *Build   `json:"build,omitempty"`
	Furnish *Furnish `json:"furnish,omitempty"`
	Start   *Start   `json:"start,omitempty"`
	Signal  *Signal  `json:"signal,omitempty"`
	Dial    string   `json:"dial,omitempty"` // address inside; the connection is the answer's descriptor
}

// Reply answers the request of the same ID. With Exit set it answers none: it
// tells of the end of a process.
type Reply struct {
	ID    int           `json:"id"`
	Pid   int           `json:"pid,omitempty"`
	Errno syscall.Errno `json:"errno,omitempty"`
	Error string        `json:"error,omitempty"`
	Exit  *Exit         `json:"exit,omitempty"`
}

// Exit is the end of a process.
type Exit struct {
	Pid    int                `json:"pid"`
	Status syscall.WaitStatus `json:"status"`
}

// Build makes the file system and the network of the sandbox, once.
type Build struct {
	Host    string            `json:"host"`
	Mounts  []Mount           `json:"mounts"`
	Dirs    []string          `json:"dirs"`
	Files   map[string]string `json:"files"`
	Links   map[string]string `json:"links"` // name → target
	Proc    bool              `json:"proc"`
	Hidden  []string          `json:"hidden"`  // files of /proc that are empty
	Frozen  []string          `json:"frozen"`  // directories of /proc that are read-only
	Empty   []string          `json:"empty"`   // directories of /proc that are empty
	Listen  []string          `json:"listen"`  // addresses; the listeners are the answer's descriptors, in this order
	MTU     int               `json:"mtu"`     // of the network device, once it is configured
	Cgroups bool              `json:"cgroups"` // its control groups are to look like roots

	// Rootless says that the platform has no root: mounts have a From, also those of
	// Furnish, and the network namespace and a TUN device of this name follow the
	// listeners.
	Rootless string `json:"rootless,omitempty"`
}

// Mount puts something of the host into the sandbox.
type Mount struct {
	From  string `json:"from,omitempty"` // path on the host; "": the next descriptor of the message, a detached mount
	To    string `json:"to"`
	Write bool   `json:"write,omitempty"`
	Exec  bool   `json:"exec,omitempty"`
	File  bool   `json:"file,omitempty"` // it is a file, not a directory
	Dev   bool   `json:"dev,omitempty"`  // devices work
}

// Furnish makes the sandbox a function's.
type Furnish struct {
	Mounts  []Mount `json:"mounts"`
	Address string  `json:"address,omitempty"` // of the device, with its prefix
	Device  string  `json:"device,omitempty"`  // which everything is reached through
}

// Start starts a process. Its two descriptors are the standard outputs.
type Start struct {
	Path  string   `json:"path"`
	Args  []string `json:"args"` // with the name of the program
	Env   []string `json:"env"`
	Dir   string   `json:"dir"`
	UID   int      `json:"uid"`
	GID   int      `json:"gid"`
	Write []string `json:"write"` // directories that Landlock leaves writable
	Lock  bool     `json:"lock"`  // Landlock, of the first start alone
	Files uint64   `json:"files"` // descriptors at most

	Filter bool   `json:"filter"` // system calls, of the first start alone
	Procs  uint64 `json:"procs"`  // processes at most, where no control group limits them; 0: not limited here

	FileSize uint64 `json:"fileSize"` // bytes that a file has at most; 0: not limited. Of the first start alone
}

// Signal signals a process and its group; process 0 is all there are.
type Signal struct {
	Pid int            `json:"pid"`
	Sig syscall.Signal `json:"sig"`
}
