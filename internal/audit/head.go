package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// headSize is what a head takes in its file: one sector of a disk, which is
// written wholly or not at all.
const headSize = 512

// head is a signed statement of how far the log goes. It is written after the
// records that it covers are on disk, so it never promises more than there is,
// and is on disk before their callers are answered.
type head struct {
	Seq     uint64    `json:"seq"`
	Hash    sum       `json:"hash"`
	File    string    `json:"file"` // the open file; "" when a digest has closed it
	Size    int64     `json:"size"` // of the open file
	Digests uint64    `json:"digests"`
	Digest  sum       `json:"digest"` // hash of the latest digest
	Time    time.Time `json:"time"`
	Key     string    `json:"key"` // its fingerprint
}

func (h head) link() link { return link{h.Seq, h.Hash} }

// covers is how many bytes of a log file without digest the head vouches for.
func (h head) covers(name string) int64 {
	if h.File == name {
		return h.Size
	}
	return 0
}

const (
	headLabel     = "dropstack audit head\n"
	openSignature = `,"signature":"`
)

// signHead renders a head with its signature, padded to headSize.
func signHead(h head, key ed25519.PrivateKey) ([]byte, error) {
	doc, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	doc = sealHead(doc, ed25519.Sign(key, append([]byte(headLabel), doc...)))
	if len(doc) != headSize {
		return nil, fmt.Errorf("a head of %d bytes does not fit in %d", len(doc), headSize)
	}
	return doc, nil
}

func sealHead(doc, signature []byte) []byte {
	out := make([]byte, 0, headSize)
	out = append(out, doc[:len(doc)-1]...)
	out = append(out, openSignature...)
	out = base64.StdEncoding.AppendEncode(out, signature)
	out = append(out, `"}`...)
	for len(out) < headSize-1 {
		out = append(out, ' ')
	}
	return append(out, '\n')
}

// readHead checks and reads what signHead has rendered.
func readHead(doc []byte, keys keyring) (head, error) {
	var h head
	body, rest, ok := bytes.Cut(doc, []byte(openSignature))
	encoded, _, closed := bytes.Cut(rest, []byte(`"`))
	if !ok || !closed {
		return head{}, errors.New("not a head: changed or cut")
	}
	body = append(bytes.Clone(body), '}')
	signature, err := base64.StdEncoding.DecodeString(string(encoded))
	if err != nil || !bytes.Equal(sealHead(body, signature), doc) {
		return head{}, errors.New("not a head: changed or cut")
	}
	if err := json.Unmarshal(body, &h); err != nil {
		return head{}, fmt.Errorf("not a head: %w", err)
	}
	return h, keys.verify(h.Key, append([]byte(headLabel), body...), signature)
}
