package probe

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// parts are what the probe does in processes of their own.
var parts = map[string]func(*world, []string) int{
	"nothing": func(*world, []string) int { return 0 },
	"compat":  compatPart,
	"open":    openPart,
	"threads": threadsPart,
	"memory":  memoryPart,
	"memfd":   memfdPart,
	"shm":     shmPart,
	"pipes":   pipesPart,
	"keep":    keepPart,
	"bomb":    bombPart,
}

func child(w *world, args []string) int {
	part := parts[args[0]]
	if part == nil {
		fmt.Fprintf(os.Stderr, "the probe has no part %q\n", args[0])
		return 2
	}
	return part(w, args[1:])
}

// keepPart is the function in another sandbox: it keeps the secret in its files
// and in its memory, and listens.
func keepPart(w *world, _ []string) int {
	if err := os.WriteFile(filepath.Join(w.Scratch, "secret"), []byte(w.Secret), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	port, err := listenTCP()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	k := Keeper{Port: port, Abstract: fmt.Sprintf("escape-keeper-%d-%d", port, os.Getpid())}
	if err := listenUnix("@" + k.Abstract); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	say(k)
	waitForever()
	return 0
}

// bombPart fills its sandbox with processes and stays: the sandbox is to be closed
// in that state. The world says how many to try.
func bombPart(w *world, _ []string) int {
	for range 2 * w.Processes {
		if _, errno := forkWaiting(); errno != 0 {
			fmt.Println(errno.Error())
			waitForever()
		}
	}
	fmt.Println("all started")
	waitForever()
	return 0
}

func waitForever() {
	for {
		_, _ = unix.Poll(nil, -1)
	}
}

func listenTCP() (port int, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{}); err != nil {
		return 0, err
	}
	if err := unix.Listen(fd, 16); err != nil {
		return 0, err
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	return at.(*unix.SockaddrInet4).Port, nil
}

func listenUnix(name string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		return err
	}
	return unix.Listen(fd, 16)
}
