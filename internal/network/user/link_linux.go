package user

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/dropstack/dropstack/internal/network"
)

// link joins a stack to a TUN device (stack.LinkEndpoint): one goroutine reads
// packets and delivers those that admit lets in, writers write from wherever the
// stack sends.
type link struct {
	tun   *os.File
	admit func(packet []byte) bool

	mu         sync.RWMutex
	dispatcher stack.NetworkDispatcher
	reading    sync.WaitGroup
}

func (l *link) start() { l.reading.Go(l.read) }

// stopReading returns when no further packet will reach the stack. The stack may
// still send: what it says when it closes is how functions learn of the end.
func (l *link) stopReading() error {
	err := l.tun.SetReadDeadline(time.Unix(1, 0)) // long past: wakes the reader
	if err != nil {
		err = errors.Join(err, l.tun.Close()) // wakes it too
	}
	l.reading.Wait()
	return err
}

func (l *link) read() {
	packet := make([]byte, network.MTU+header.IPv4MaximumHeaderSize)
	for {
		n, err := l.tun.Read(packet)
		if err != nil {
			return // told to stop, or the namespace took the device with it
		}
		if l.admit(packet[:n]) {
			l.inject(packet[:n])
		}
	}
}

func (l *link) inject(packet []byte) {
	l.mu.RLock()
	d := l.dispatcher
	l.mu.RUnlock()
	if d == nil {
		return
	}
	p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
	d.DeliverNetworkPacket(header.IPv4ProtocolNumber, p)
	p.DecRef()
}

// write sends one packet of the given parts.
func (l *link) write(parts [][]byte) error {
	raw, err := l.tun.SyscallConn()
	if err != nil {
		return err
	}
	werr := error(nil)
	err = raw.Write(func(fd uintptr) bool {
		_, werr = unix.Writev(int(fd), parts)
		return !errors.Is(werr, unix.EAGAIN)
	})
	return errors.Join(err, werr)
}

// WritePackets implements stack.LinkWriter. A packet that the device does not
// take is lost, as on any wire.
func (l *link) WritePackets(packets stack.PacketBufferList) (int, tcpip.Error) {
	n := 0
	for _, p := range packets.AsSlice() {
		if err := l.write(p.AsSlices()); err != nil {
			if n == 0 && errors.Is(err, os.ErrClosed) {
				return 0, &tcpip.ErrClosedForSend{}
			}
			return n, nil
		}
		n++
	}
	return n, nil
}

// Attach implements stack.NetworkLinkEndpoint, as do the following.
func (l *link) Attach(d stack.NetworkDispatcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dispatcher = d
}

// IsAttached reports whether a stack takes the packets.
func (l *link) IsAttached() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.dispatcher != nil
}

// MTU is the device's.
func (*link) MTU() uint32 { return network.MTU }

// SetMTU does nothing: the namespace's init has set it.
func (*link) SetMTU(uint32) {}

// MaxHeaderLength is zero: the device carries bare IP packets.
func (*link) MaxHeaderLength() uint16 { return 0 }

// LinkAddress is empty.
func (*link) LinkAddress() tcpip.LinkAddress { return "" }

// SetLinkAddress does nothing.
func (*link) SetLinkAddress(tcpip.LinkAddress) {}

// Capabilities says that checksums need not be verified: the kernel on the other
// side of the device has just computed them, and the data goes no further as
// packets.
func (*link) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload
}

// Wait does nothing: stopReading has waited.
func (*link) Wait() {}

// ARPHardwareType is none.
func (*link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }

// AddHeader does nothing.
func (*link) AddHeader(*stack.PacketBuffer) {}

// ParseHeader has nothing to parse.
func (*link) ParseHeader(*stack.PacketBuffer) bool { return true }

// Close does nothing: the attachment closes the device after the stack.
func (*link) Close() {}

// SetOnCloseAction does nothing.
func (*link) SetOnCloseAction(func()) {}
