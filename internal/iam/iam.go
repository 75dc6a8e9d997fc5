// Package iam knows principals and their access keys, and verifies signatures.
//
// The administrator's key is made at the first start and kept in DIR/credentials.
// A function's key is derived from DIR/root.key and the function's name, so it is
// the same after a restart and is stored nowhere; it is valid while the function
// is deployed.
package iam

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// Credentials are an access key. SessionToken is empty for the administrator.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
}

// Authority knows every principal and every valid access key, and decides who may
// do what.
type Authority struct {
	root  []byte
	admin Credentials

	mu     sync.Mutex                // one Replace at a time
	stacks map[string][]string       // function ARNs by stack
	known  atomic.Pointer[functions] // never nil
}

// functions maps access key ids of functions to their key and ARN.
type functions map[string]functionKey

type functionKey struct {
	Credentials
	arn string
}

// Open reads the keys of a data directory, and makes them at the first start.
func Open(dir string) (*Authority, error) {
	root, err := openRoot(filepath.Join(dir, "root.key"))
	if err != nil {
		return nil, err
	}
	admin, err := openAdmin(filepath.Join(dir, "credentials"))
	if err != nil {
		return nil, err
	}
	k := &Authority{root: root, admin: admin, stacks: map[string][]string{}}
	k.known.Store(&functions{})
	return k, nil
}

// Root is the root key, from which other keys are derived.
func (k *Authority) Root() []byte { return k.root }

// Admin is the administrator's key.
func (k *Authority) Admin() Credentials { return k.admin }

// Function is the key of a function, the same for the same ARN.
func (k *Authority) Function(function string) Credentials {
	derive := func(use string, n int) []byte {
		key, err := hkdf.Key(sha256.New, k.root, nil, use+"\x00"+function, n)
		if err != nil {
			panic(err) // only for lengths over 8,160 bytes
		}
		return key
	}
	id := base32.StdEncoding.EncodeToString(derive("access key id", 10))
	return Credentials{
		AccessKeyID:     "ASIA" + id[:16],
		SecretAccessKey: base64.StdEncoding.EncodeToString(derive("secret access key", 30)),
		SessionToken:    base64.StdEncoding.EncodeToString(derive("session token", 48)),
	}
}

// Replace makes the keys of these functions, and no others of the stack, valid.
func (k *Authority) Replace(stack string, arns []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stacks[stack] = arns
	if len(arns) == 0 {
		delete(k.stacks, stack)
	}
	next := functions{}
	for _, list := range k.stacks {
		for _, function := range list {
			c := k.Function(function)
			next[c.AccessKeyID] = functionKey{c, function}
		}
	}
	k.known.Store(&next)
}

// Secret returns the secret of a valid access key, and whether it is the
// administrator's.
func (k *Authority) Secret(accessKeyID string) (secret string, admin, ok bool) {
	c, who, ok := k.find(accessKeyID)
	return c.SecretAccessKey, who.Root(), ok
}

// Session reports whether token is the one that must come with an access key: the
// administrator's has none.
func (k *Authority) Session(accessKeyID, token string) bool {
	c, _, ok := k.find(accessKeyID)
	return ok && subtle.ConstantTimeCompare([]byte(token), []byte(c.SessionToken)) == 1
}

// find returns the key and the principal of an access key id.
func (k *Authority) find(accessKeyID string) (Credentials, Principal, bool) {
	if accessKeyID == k.admin.AccessKeyID {
		return k.admin, Principal{Type: TypeRoot, ARN: "arn:aws:iam::" + arn.Account + ":root", AccountID: arn.Account, UserID: arn.Account, AccessKeyID: accessKeyID}, true
	}
	f, ok := (*k.known.Load())[accessKeyID]
	return f.Credentials, Principal{Type: TypeAssumedRole, ARN: f.arn, FunctionARN: f.arn, AccountID: arn.Account, AccessKeyID: accessKeyID}, ok
}

func openRoot(path string) ([]byte, error) {
	root, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		root = make([]byte, 32)
		_, _ = rand.Read(root) // never fails
		return root, writeSecret(path, root)
	}
	if err == nil && len(root) != 32 {
		err = fault.Errorf(fault.Invalid, "%s has %d bytes, not 32; restore it from a backup, or remove it to make a new one", path, len(root))
	}
	return root, err
}

func openAdmin(path string) (Credentials, error) {
	c, err := ReadCredentials(path)
	if !errors.Is(err, os.ErrNotExist) {
		return c, err
	}
	var id [10]byte
	var secret [30]byte
	_, _ = rand.Read(id[:])
	_, _ = rand.Read(secret[:])
	c = Credentials{
		AccessKeyID:     "AKIA" + base32.StdEncoding.EncodeToString(id[:]),
		SecretAccessKey: base64.StdEncoding.EncodeToString(secret[:]),
	}
	doc := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", c.AccessKeyID, c.SecretAccessKey)
	return c, writeSecret(path, []byte(doc))
}

// ReadCredentials reads the [default] profile of an AWS shared-credentials file.
func ReadCredentials(path string) (Credentials, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return Credentials{}, err
	}
	var c Credentials
	section := ""
	for line := range strings.Lines(string(doc)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if section != "[default]" {
			continue
		}
		switch strings.TrimSpace(key) {
		case "aws_access_key_id":
			c.AccessKeyID = strings.TrimSpace(value)
		case "aws_secret_access_key":
			c.SecretAccessKey = strings.TrimSpace(value)
		}
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return Credentials{}, fault.Errorf(fault.Invalid, "%s: profile [default] lacks aws_access_key_id or aws_secret_access_key; restore it, or remove the file to make a new key", path)
	}
	return c, nil
}

// writeSecret writes a file of mode 0600 that is there whole after a crash, or
// not at all.
func writeSecret(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone after the rename
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
