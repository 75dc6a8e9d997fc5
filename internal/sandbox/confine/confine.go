// Package confine is what a thread gives up for good before it becomes a function.
//
// All of it acts on the calling thread alone and is inherited by what the thread
// starts, so it is for a thread that does nothing else afterwards, locked to its
// goroutine.
package confine

// Rules are what Landlock leaves of the file system (landlock(7)).
type Rules struct {
	ReadExec  []string // may be read and run, with all below
	ReadWrite []string // may be changed too; paths that do not exist are left out
	Scope     bool     // no signals to and no abstract sockets of processes outside
}
