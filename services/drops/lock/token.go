// Package lock guards drops: passwords, and the tokens that stand for having
// been let in.
package lock

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Lifetimes of tokens.
const (
	ContentTTL = 15 * time.Minute
	UnlockTTL  = 12 * time.Hour
)

// Key signs tokens. All processes of a stage share it.
type Key []byte

// LoadKey reads DIR/secret, or makes it (32 random bytes, mode 0600). Of
// processes that start together one makes it and the others read it.
func LoadKey(dir string) (Key, error) {
	path := filepath.Join(dir, "secret")
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(dir, path); err != nil {
			return nil, fmt.Errorf("make the signing secret: %w", err)
		}
		key, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the signing secret: %w", err)
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("%s has %d bytes, want 32; remove it to make a new one (open unlock cookies end)", path, len(key))
	}
	return key, nil
}

// makeKey writes the whole file before it gets its name.
func makeKey(dir, path string) (err error) {
	f, err := os.CreateTemp(dir, ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return errors.Join(err, f.Close())
	}
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Content makes the token for a version's bytes.
func (k Key) Content(code string, version int, now time.Time) string {
	return k.sign("content", code+"."+strconv.Itoa(version), now.Add(ContentTTL))
}

// CheckContent reports whether token opens the version's bytes now.
func (k Key) CheckContent(token, code string, version int, now time.Time) bool {
	return k.check(token, "content", code+"."+strconv.Itoa(version), now)
}

// Unlock makes the token that stands for the password; it ends with a change of
// the password.
func (k Key) Unlock(code, passwordHash string, now time.Time) string {
	return k.sign("unlock", code+"."+passwordHash, now.Add(UnlockTTL))
}

// CheckUnlock reports whether token stands for the drop's present password.
func (k Key) CheckUnlock(token, code, passwordHash string, now time.Time) bool {
	return k.check(token, "unlock", code+"."+passwordHash, now)
}

func (k Key) sign(purpose, subject string, until time.Time) string {
	at := strconv.FormatInt(until.Unix(), 36)
	return at + "." + base64.RawURLEncoding.EncodeToString(k.mac(purpose, subject, at))
}

func (k Key) check(token, purpose, subject string, now time.Time) bool {
	at, sig, ok := strings.Cut(token, ".")
	if !ok {
		return false
	}
	got, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil || !hmac.Equal(got, k.mac(purpose, subject, at)) {
		return false
	}
	until, err := strconv.ParseInt(at, 36, 64)
	return err == nil && now.Unix() < until
}

func (k Key) mac(purpose, subject, at string) []byte {
	m := hmac.New(sha256.New, k)
	_, _ = fmt.Fprintf(m, "%s\n%d\n%s\n%s", purpose, len(subject), subject, at)
	return m.Sum(nil)[:18] // 144 bits
}

// Hash is how random keys are stored; they need no stretching.
func Hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// Same compares secrets in constant time. An empty want never matches.
func Same(got, want string) bool {
	g, w := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return want != "" && subtle.ConstantTimeCompare(g[:], w[:]) == 1
}
