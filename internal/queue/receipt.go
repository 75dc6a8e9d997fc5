package queue

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// newReceipt names one giving out of a message: 8 bytes of chance, 8 of the
// message's id, and its sequence.
func newReceipt(seq uint64, id string) string {
	chance := uuid.New()
	raw := append(chance[:8:8], idPart(id)...)
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(raw, seq))
}

func idPart(id string) []byte {
	parsed, _ := uuid.Parse(id) // which every message has
	return parsed[:8]
}

// told is what a receipt says of its message.
func told(receipt string) (seq uint64, id []byte, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(receipt)
	if err != nil || len(raw) != 24 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint64(raw[16:]), raw[8:16], true
}

// settle deletes the message that a receipt was given for.
func (o *open) settle(ctx context.Context, receipt string) error {
	seq, id, ok := told(receipt)
	if !ok {
		return fault.Coded(fault.Invalid, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	o.mu.Lock()
	h := o.held[seq]
	mine := h != nil && h.receipt == receipt
	if mine {
		h.settling = true
	}
	o.mu.Unlock()
	var err error
	switch {
	case mine:
		if err = h.msg.DoubleAck(ctx); errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
			err = nil
		}
	case h != nil && !o.get().FIFO:
		return nil // somebody else has it now, and it is theirs to delete
	default: // given out before a restart, or its time is over
		err = o.deleteStored(ctx, seq, id, receipt)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		if mine {
			h.settling = false
			o.resume(h)
		}
		if fault.KindOf(err) == fault.Invalid {
			return err
		}
		return fault.Errorf(fault.Unavailable, "delete a message of queue %s: %w", o.get().Name, err)
	}
	if mine {
		delete(o.past, seq)
		o.release(h)
	}
	return nil
}

// deleteStored deletes a message that is not given out, if it is still there. A
// receipt of another queue, or of an earlier one of the name, deletes nothing; one of
// a FIFO queue is good as long as the message is hidden and no longer.
func (o *open) deleteStored(ctx context.Context, seq uint64, id []byte, receipt string) error {
	msg, err := o.stream.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var r record
	if err := json.Unmarshal(msg.Data, &r); err != nil || !bytes.Equal(idPart(r.ID), id) {
		return nil
	}
	if o.get().FIFO {
		return invalid("Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", receipt)
	}
	err = o.stream.DeleteMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		err = nil
	}
	if err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.held[seq] == nil {
			delete(o.past, seq)
		}
	}
	return err
}

// release forgets a message that is no more. The lock is held.
func (o *open) release(h *held) {
	if h == nil || o.held[h.seq] != h {
		return
	}
	h.timer.Stop()
	delete(o.held, h.seq)
	if g := o.groups[h.Group]; o.get().FIFO && g != nil {
		g.flying--
		o.enlist(g)
	}
}

// hide changes how long from now a message stays hidden.
func (o *open) hide(receipt string, seconds int) error {
	seq, _, ok := told(receipt)
	if !ok {
		return fault.Coded(fault.Invalid, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	if seconds < 0 || seconds > maxHidden {
		return invalid("Value %d for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and %d", seconds, maxHidden)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.held[seq]
	if h == nil || h.receipt != receipt {
		return fault.Coded(fault.Invalid, "MessageNotInflight", "Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", receipt)
	}
	h.until = time.Now().Add(time.Duration(seconds) * time.Second)
	if seconds == 0 {
		o.surface(h)
		return nil
	}
	o.watch(h)
	return nil
}
