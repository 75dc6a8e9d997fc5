package certificate

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// Where a certificate is from.
const (
	FromFile = "file"     // NAME.crt and NAME.key
	Imported = "imported" // by command or call
	FromACME = "acme"
)

// owned is one of the operator's own. It never changes, but for its staple and when that is due.
type owned struct {
	id     string // file name without its end, or the id in the ARN
	arn    string // of what was imported
	source string
	cert   *tls.Certificate // with Leaf
	added  time.Time
	tags   map[string]string
	staple atomic.Pointer[stapled] // nil: none yet
	askAt  time.Time               // not before; of the goroutine that staples alone
}

// ownSet is the operator's own at one moment. It never changes.
type ownSet struct {
	all    []*owned
	names  map[string][]*owned // by name or "*.PARENT", the one that is valid longest first
	files  map[string]file     // what was read, to see changes
	faults map[string]string   // why a file is not used
}

// file is how a pair of files looked when it was read.
type file struct {
	signature string
	owned     *owned // nil: it is faulty
}

// find is the certificate for a name: that with the id if it is named and covers it,
// else one of the name, else a wildcard, which covers one label. What has ended is
// shown only where there is nothing else.
func (o *ownSet) find(name, id string, hello *tls.ClientHelloInfo) *tls.Certificate {
	if len(o.all) == 0 {
		return nil
	}
	now := time.Now()
	var last *owned
	if id != "" {
		if named := o.named(id); named != nil && named.cert.Leaf.VerifyHostname(name) == nil {
			if now.Before(named.cert.Leaf.NotAfter) {
				return named.shown()
			}
			last = named
		}
	}
	_, parent, _ := strings.Cut(name, ".")
	for _, among := range [][]*owned{o.names[name], o.names["*."+parent]} {
		ended := slices.IndexFunc(among, func(one *owned) bool { return !now.Before(one.cert.Leaf.NotAfter) })
		if ended < 0 {
			ended = len(among)
		}
		switch { // those that end last come first
		case ended > 0:
			return suited(among[:ended], hello).shown()
		case last == nil && len(among) > 0:
			last = suited(among, hello)
		}
	}
	if last == nil {
		return nil
	}
	return last.shown()
}

// suited is the first that the client can use, or the first.
func suited(among []*owned, hello *tls.ClientHelloInfo) *owned {
	for _, one := range among {
		if hello == nil || hello.SupportsCertificate(one.cert) == nil {
			return one
		}
	}
	return among[0]
}

// named is the one with an ARN or a name.
func (o *ownSet) named(id string) *owned {
	for _, one := range o.all {
		if one.arn == id || one.id == id {
			return one
		}
	}
	return nil
}

// newOwnSet indexes certificates by the names that they cover.
func newOwnSet(files map[string]file, faults map[string]string, imported []*owned) *ownSet {
	next := &ownSet{names: map[string][]*owned{}, files: files, faults: faults, all: imported}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if one := files[name].owned; one != nil {
			next.all = append(next.all, one)
		}
	}
	for _, one := range next.all {
		for _, name := range namesOf(one.cert.Leaf) {
			next.names[name] = append(next.names[name], one)
		}
	}
	for _, among := range next.names {
		slices.SortStableFunc(among, func(a, b *owned) int { return b.cert.Leaf.NotAfter.Compare(a.cert.Leaf.NotAfter) })
	}
	return next
}

// namesOf is what a certificate covers.
func namesOf(leaf *x509.Certificate) []string {
	var names []string
	for _, name := range leaf.DNSNames {
		names = append(names, strings.ToLower(name))
	}
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// loadOwn reads what was imported, and the files.
func (k *Keeper) loadOwn(ctx context.Context) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	imported, err := k.imports(ctx)
	if err != nil {
		return err
	}
	k.replace(imported)
	return nil
}

// Refresh looks at the files, and takes up those that have changed. A pair that is
// broken leaves the one that was read before in use.
func (k *Keeper) Refresh(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	return k.replace(k.imported())
}

// imported is what of the present ones was imported.
func (k *Keeper) imported() []*owned {
	return slices.DeleteFunc(slices.Clone(k.own.Load().all), func(o *owned) bool { return o.source != Imported })
}

// replace makes the files and these imported ones the operator's own. changing is
// held.
func (k *Keeper) replace(imported []*owned) error {
	now := k.own.Load()
	files, faults, err := readFiles(k.Dir, now.files)
	if err != nil {
		files, faults = now.files, now.faults
	}
	k.own.Store(newOwnSet(files, faults, imported))
	select {
	case k.changed <- struct{}{}:
	default: // it is told already
	}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		if now.faults[name] != faults[name] {
			k.Log.Error("a certificate is not used", "file", filepath.Join(k.Dir, name+".crt"), "err", faults[name])
		}
	}
	for name, f := range files {
		if at := filepath.Join(k.Dir, name+".key"); now.files[name].signature != f.signature && exposed(at) {
			k.Log.Warn("others can read a certificate's key; take that away with chmod 600", "file", at)
		}
		if before, known := now.files[name]; known && before.signature != f.signature && f.owned != nil && f.owned != before.owned {
			k.Log.Info("a certificate was reloaded", "name", name, "until", f.owned.cert.Leaf.NotAfter)
		}
	}
	return err
}

// readFiles reads the pairs of a directory; those that look as before are not read
// again.
func readFiles(dir string, before map[string]file) (map[string]file, map[string]string, error) {
	files, faults := map[string]file{}, map[string]string{}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return files, faults, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".crt")
		if !ok || name == "" {
			continue
		}
		looks, err := signature(filepath.Join(dir, name))
		if at, known := before[name]; known && at.signature == looks && at.owned != nil {
			files[name] = at
			continue
		}
		var one *owned
		if err == nil {
			one, err = readPair(dir, name)
		}
		if err != nil {
			faults[name] = err.Error()
			if at := before[name].owned; at != nil { // half of a change, perhaps: the old one stays
				files[name] = file{looks + " faulty", at}
			}
			continue
		}
		files[name] = file{looks, one}
	}
	return files, faults, nil
}

// exposed reports whether others than its owner may read a file.
func exposed(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o077 != 0
}

// signature tells versions of a pair of files apart.
func signature(path string) (string, error) {
	var looks []string
	for _, end := range []string{".crt", ".key"} {
		info, err := os.Stat(path + end)
		if errors.Is(err, fs.ErrNotExist) && end == ".key" {
			return "", fmt.Errorf("its key %s is not there", filepath.Base(path)+end)
		}
		if err != nil {
			return "", err
		}
		looks = append(looks, fmt.Sprint(info.Size(), info.ModTime().UnixNano()))
	}
	return strings.Join(looks, " "), nil
}

func readPair(dir, name string) (*owned, error) {
	chain, err := os.ReadFile(filepath.Join(dir, name+".crt"))
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(filepath.Join(dir, name+".key"))
	if err != nil {
		return nil, err
	}
	cert, err := parsePair(chain, key)
	if err != nil {
		return nil, err
	}
	return &owned{id: name, source: FromFile, cert: cert}, nil
}

// parsePair reads a certificate, with those that vouch for it after it, and its key,
// all as PEM. Nothing of the key is in an error.
func parsePair(chain, key []byte) (*tls.Certificate, error) {
	if block, _ := pem.Decode(bytes.TrimSpace(key)); block != nil && (block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "") {
		return nil, fault.Errorf(fault.Invalid, "the key is protected by a passphrase; take it off: openssl pkey -in KEY -out KEY.plain")
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "not a certificate and its key as PEM: %w", err)
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil, fault.Errorf(fault.Invalid, "the certificate: %w", err)
		}
	}
	if len(namesOf(cert.Leaf)) == 0 {
		return nil, fault.Errorf(fault.Invalid, "the certificate names no host in its subjectAltName, which is all that clients look at")
	}
	if cert.Leaf.IsCA {
		return nil, fault.Errorf(fault.Invalid, "the first certificate is an authority's; put the one of the host before those that vouch for it")
	}
	return &cert, nil
}

// byEnd sorts what ends first to the front.
func byEnd(a, b *owned) int {
	return cmp.Or(a.cert.Leaf.NotAfter.Compare(b.cert.Leaf.NotAfter), cmp.Compare(a.id, b.id))
}
