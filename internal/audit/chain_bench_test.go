package audit

import (
	"crypto/ed25519"
	"testing"
	"time"
)

func benchEvent(b *testing.B) *Event {
	b.Helper()
	return &Event{
		EventSource: "ssm.amazonaws.com", EventName: "GetParameter", RequestID: "r", ReadOnly: true,
		UserIdentity: UserIdentity{Type: "IAMUser", UserName: "alice", AccessKeyID: "AKIAEXAMPLE"}, UserAgent: string(make([]byte, 90)),
		RequestParameters: map[string]any{"name": "/app/1", "withDecryption": true},
	}
}

// What a record costs the processor, apart from the disk and the signature that a
// group shares: rendered as JSON, hashed into the chain.
func BenchmarkRecord(b *testing.B) {
	e := benchEvent(b)
	b.Run("render", func(b *testing.B) {
		for b.Loop() {
			if _, err := e.encode(); err != nil {
				b.Fatal(err)
			}
		}
	})
	doc, err := e.encode()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("chain", func(b *testing.B) {
		var buf []byte
		var at link
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			buf, at = appendLine(buf[:0], at, doc)
		}
	})
	b.Run("head", func(b *testing.B) {
		key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
		h := head{Seq: 1, File: logName(1, time.Now()), Size: 1, Key: Fingerprint(key.Public().(ed25519.PublicKey))}
		for b.Loop() {
			if _, err := signHead(h, key); err != nil {
				b.Fatal(err)
			}
		}
	})
}
