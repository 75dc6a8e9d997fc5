package root

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dropstack/dropstack/internal/durable"
)

// Provider is where the root key comes from: a File, an Age file, Values or a
// Credential. Its String names the place, never the key.
type Provider interface {
	fmt.Stringer
	// load returns the keys.
	load() (ring, error)
	// places are files: whoever has one of them has the key.
	places() []string
}

// keeper is a provider that can be given another key.
type keeper interface {
	// store replaces the keys: after a crash they are the old or the new ones.
	store(r ring) error
}

// File is a file of mode 0600 that holds the key's 32 bytes, or a line of their
// base64. It is made if it is not there. While a rotation is under way a second
// file, of the same name with .previous, holds the keys that it leaves behind: the
// first is always what it was to those who know nothing of rotations.
type File struct{ Path string }

func (f File) String() string { return "file " + f.Path }

func (f File) places() []string { return []string{f.Path} }

func (f File) previous() string { return f.Path + ".previous" }

func (f File) load() (ring, error) {
	content, err := readSecret(f.Path)
	if errors.Is(err, os.ErrNotExist) {
		r := ring{current: fresh()}
		return r, f.store(r)
	}
	if err != nil {
		return ring{}, err
	}
	r, err := parseRing(content, f.Path)
	if err != nil {
		return ring{}, fmt.Errorf("%w; restore it from a backup, or remove it to make a new one", err)
	}
	content, err = readSecret(f.previous())
	if errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return ring{}, err
	}
	old, err := parseRing(content, f.previous())
	if err != nil {
		return ring{}, err
	}
	return r.with(old.keys()...), nil
}

// store writes what is left behind before what replaces it, and removes it when
// nothing needs it: whenever that is cut short, no key is missing.
func (f File) store(r ring) error {
	if len(r.previous) > 0 {
		old := ring{current: r.previous[0], previous: r.previous[1:]}
		if err := durable.WriteFile(f.previous(), old.bytes(), 0o600); err != nil {
			return err
		}
	}
	if err := durable.WriteFile(f.Path, r.current.secret[:], 0o600); err != nil {
		return err
	}
	if len(r.previous) > 0 {
		return nil
	}
	if err := os.Remove(f.previous()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(f.Path))
}

// Values are keys given as text: the base64 of 32 bytes each. Previous may hold
// several, separated by spaces.
type Values struct {
	// Name is what the operator knows the place as, such as the name of an
	// environment variable.
	Name              string
	Current, Previous string
}

func (v Values) String() string { return v.Name }

func (Values) places() []string { return nil }

func (v Values) load() (ring, error) {
	r, err := parseText(v.Current, v.Name)
	if err != nil {
		return ring{}, err
	}
	if len(r.previous) > 0 {
		return ring{}, invalid("%s holds more than one key; previous ones have a variable of their own", v.Name)
	}
	if v.Previous == "" {
		return r, nil
	}
	old, err := parseText(v.Previous, "the previous key of "+v.Name)
	if err != nil {
		return ring{}, err
	}
	return r.with(old.keys()...), nil
}

// Credential is a credential that systemd hands to the service, by
// LoadCredential= or LoadCredentialEncrypted=, in the directory that it names in
// CREDENTIALS_DIRECTORY. It holds the key as a File does, and the previous one
// behind it while that is needed.
type Credential struct{ Dir, Name string }

func (c Credential) String() string { return "systemd credential " + c.Name }

func (c Credential) places() []string { return []string{filepath.Join(c.Dir, c.Name)} }

func (c Credential) load() (ring, error) {
	if c.Dir == "" {
		return ring{}, invalid("no directory of credentials: add LoadCredential=%s:FILE to the unit, or choose another provider", c.Name)
	}
	content, err := os.ReadFile(filepath.Join(c.Dir, c.Name)) // systemd sees to its mode
	if err != nil {
		return ring{}, err
	}
	return parseRing(content, c.String())
}

// readSecret reads a file that nobody but its owner may read.
func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, invalid("%s has mode %04o, so that others can read or change it; run: chmod 0600 %s", path, mode, path)
	}
	return os.ReadFile(path)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
