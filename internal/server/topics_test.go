package server

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/secret/root"
)

func TestTheIdentityOfMessagesIsKeptSealed(t *testing.T) {
	dir := t.TempDir()
	js := enginetest.StreamsIn(t, dir)
	sealer := func(name string) *root.Sealer {
		r, err := root.Open(root.File{Path: filepath.Join(t.TempDir(), name)})
		if err != nil {
			t.Fatal(err)
		}
		return r.Sealer("messages")
	}
	seal := sealer("key")
	first, err := topicIdentity(t.Context(), js, seal)
	if err != nil {
		t.Fatal(err)
	}
	again, err := topicIdentity(t.Context(), js, seal)
	if err != nil {
		t.Fatal(err)
	}
	name, doc := first.Certificate()
	if n, d := again.Certificate(); n != name || !bytes.Equal(d, doc) {
		t.Errorf("another identity: %s, want %s", n, name)
	}
	if _, err := topicIdentity(t.Context(), js, sealer("another")); err == nil || !strings.Contains(err.Error(), "restore the key") {
		t.Errorf("opened with another root key: %v", err)
	}
	block, _ := pem.Decode(doc)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, secret := range [][]byte{[]byte("PRIVATE KEY"), block.Bytes[:64]} {
			if bytes.Contains(data, secret) {
				t.Errorf("%s holds the identity in the clear", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
