package kernel

import (
	"runtime"
	"syscall"
	"unsafe"
)

// request is struct ifreq: a network device and what is asked of it or told.
type request struct {
	name [syscall.IFNAMSIZ]byte
	data [24]byte
}

// Device is a network device, and a socket of its namespace.
type Device struct {
	name   string
	socket int
}

// OpenDevice finds a network device by its name. Close it.
func OpenDevice(name string) (*Device, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	return &Device{name, fd}, err
}

// Close lets go of the device.
func (d *Device) Close() { syscall.Close(d.socket) }

// Up switches the device on.
func (d *Device) Up() error {
	r, err := ask(d.socket, syscall.SIOCGIFFLAGS, d.name, func(*request) {})
	if err != nil {
		return err
	}
	flags := *(*uint16)(unsafe.Pointer(&r.data)) | syscall.IFF_UP | syscall.IFF_RUNNING
	_, err = ask(d.socket, syscall.SIOCSIFFLAGS, d.name, func(r *request) { *(*uint16)(unsafe.Pointer(&r.data)) = flags })
	return err
}

// Address gives the device an address that nobody shares.
func (d *Device) Address(ip [4]byte) error {
	_, err := ask(d.socket, syscall.SIOCSIFADDR, d.name, func(r *request) { r.address(ip) })
	if err == nil {
		_, err = ask(d.socket, syscall.SIOCSIFNETMASK, d.name, func(r *request) { r.address([4]byte{255, 255, 255, 255}) })
	}
	return err
}

// MTU sets how long a packet may be.
func (d *Device) MTU(bytes int) error {
	_, err := ask(d.socket, syscall.SIOCSIFMTU, d.name, func(r *request) { *(*int32)(unsafe.Pointer(&r.data)) = int32(bytes) })
	return err
}

// TUN makes a descriptor of /dev/net/tun a device of the network namespace in
// which it was opened.
func TUN(fd int, name string) error {
	_, err := ask(fd, syscall.TUNSETIFF, name, func(r *request) {
		*(*uint16)(unsafe.Pointer(&r.data)) = syscall.IFF_TUN | syscall.IFF_NO_PI
	})
	return Failed("make the device "+name, err)
}

// address fills in a struct sockaddr_in.
func (r *request) address(ip [4]byte) {
	*(*uint16)(unsafe.Pointer(&r.data)) = syscall.AF_INET
	copy(r.data[4:], ip[:])
}

func ask(fd int, what uintptr, name string, fill func(*request)) (*request, error) {
	r := &request{}
	if len(name) >= len(r.name) {
		return nil, syscall.EINVAL
	}
	copy(r.name[:], name)
	fill(r)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), what, uintptr(unsafe.Pointer(r)))
	return r, asError(errno)
}

// rtentry is struct rtentry of <linux/route.h> on 64-bit machines.
type rtentry struct {
	_                         uint64
	destination, gateway, net [16]byte // sockaddr
	flags                     uint16
	_                         [6]byte
	_                         uint64
	_                         uint64
	metric                    int16
	_                         [6]byte
	device                    *byte
	mtu, window               uint64
	irtt                      uint16
	_                         [6]byte
}

// Route sends everything to the device.
func (d *Device) Route() error {
	const up = 1 // RTF_UP
	name, err := syscall.BytePtrFromString(d.name)
	if err != nil {
		return err
	}
	e := rtentry{flags: up, device: name}
	for _, a := range []*[16]byte{&e.destination, &e.net} {
		*(*uint16)(unsafe.Pointer(a)) = syscall.AF_INET
	}
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(d.socket), syscall.SIOCADDRT, uintptr(unsafe.Pointer(&e)))
	runtime.KeepAlive(name)
	return Failed("add the default route", asError(errno))
}
