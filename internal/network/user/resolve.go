package user

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"

	"github.com/dropstack/dropstack/internal/network"
)

// answerUDP answers the queries of a flow until none has come for idle. It
// closes c and returns the bytes of queries and of answers.
func (e *Engine) answerUDP(ctx context.Context, port *network.Port, c net.Conn, idle time.Duration) (sent, received int64) {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	timer := time.AfterFunc(idle, func() { _ = c.Close() })
	defer timer.Stop()
	var down atomic.Int64
	var g errgroup.Group
	g.SetLimit(maxQueries)
	b := make([]byte, dns.MaxMsgSize)
	for {
		n, err := c.Read(b)
		if err != nil {
			break
		}
		timer.Reset(idle)
		sent += int64(n)
		query := append([]byte(nil), b[:n]...)
		g.Go(func() error {
			answer := network.Fit(query, e.Answer(ctx, port, query))
			if len(answer) == 0 {
				return nil
			}
			n, err := c.Write(answer)
			down.Add(int64(n))
			return err
		})
	}
	_ = g.Wait() // an answer that could not be written is lost, as on any wire
	return sent, down.Load()
}

// answerTCP answers the queries of a connection in their order, each with its
// length before it (RFC 1035, 4.2.2), until none has come for idle. It closes c.
func (e *Engine) answerTCP(ctx context.Context, port *network.Port, c net.Conn, idle time.Duration) (sent, received int64) {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	for {
		_ = c.SetDeadline(time.Now().Add(idle))
		query, err := readMessage(c)
		if err != nil {
			return sent, received
		}
		sent += int64(2 + len(query))
		answer := e.Answer(ctx, port, query)
		if len(answer) == 0 || len(answer) > dns.MaxMsgSize {
			return sent, received
		}
		n, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
		received += int64(n)
		if err != nil {
			return sent, received
		}
	}
}

func readMessage(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	m := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, m)
	return m, err
}
