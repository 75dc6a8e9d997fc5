package guest

import (
	"strconv"
	"syscall"

	"github.com/dropstack/dropstack/internal/sandbox/kernel"
)

func (a Address) String() string {
	text := ""
	for _, b := range a.IP {
		text += "." + strconv.Itoa(int(b))
	}
	return text[1:] + ":" + strconv.Itoa(a.Port)
}

func (a Address) socket() *syscall.SockaddrInet4 {
	return &syscall.SockaddrInet4{Addr: a.IP, Port: a.Port}
}

// loopback switches the sandbox's own device on.
func loopback() error {
	d, err := kernel.OpenDevice("lo")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Up()
}

func listen(a Address) (fd int, err error) {
	if fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0); err != nil {
		return 0, err
	}
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, a.socket())
	}
	if err == nil {
		err = syscall.Listen(fd, 1024)
	}
	if err != nil {
		syscall.Close(fd)
		return 0, err
	}
	return fd, nil
}

// dial connects to an address of the sandbox's own, which answers at once or
// never.
func dial(a Address) (fd int, err error) {
	if fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0); err != nil {
		return 0, err
	}
	if err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &syscall.Timeval{Sec: 1}); err == nil {
		err = syscall.Connect(fd, a.socket())
	}
	if err != nil {
		syscall.Close(fd)
		return 0, kernel.Failed("connect to "+a.String(), err)
	}
	return fd, nil
}

// configure gives a device its address and sends everything through it.
func configure(device string, ip [4]byte, mtu int) error {
	d, err := kernel.OpenDevice(device)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, step := range []func() error{
		func() error { return d.Address(ip) },
		func() error { return d.MTU(mtu) },
		d.Up,
		d.Route,
	} {
		if err := step(); err != nil {
			return kernel.Failed("configure the device "+device, err)
		}
	}
	return nil
}
