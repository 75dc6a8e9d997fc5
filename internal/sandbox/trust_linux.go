package sandbox

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/sandbox/guest"
)

// trusted is where programs look for the certificates that they trust.
const trusted = "/etc/ssl"

// bundles are the files in which distributions have all of them, as crypto/x509
// knows them.
var bundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
}

// trust has sandboxes trust the authority besides whatever this machine trusts
// now: they get a copy of its files, made once, to which the certificate is added.
func (m *Maker) trust() (err error) {
	if m.trusts, err = os.MkdirTemp(m.TempDir, "trust-"); err != nil {
		return err
	}
	if err := os.Chmod(m.trusts, 0o755); err != nil {
		return err
	}
	ssl := filepath.Join(m.trusts, "ssl")
	if err := copyTrusted(ssl); err != nil {
		return fmt.Errorf("copy %s for sandboxes: %w", trusted, err)
	}
	if err := os.WriteFile(filepath.Join(ssl, filepath.Base(AuthorityFile)), m.Authority, 0o644); err != nil {
		return err
	}
	m.plan.Mounts = slices.DeleteFunc(m.plan.Mounts, func(m guest.Mount) bool { return m.To == trusted })
	m.plan.Links = slices.DeleteFunc(m.plan.Links, func(l guest.Entry) bool { return l.Path == trusted })
	m.plan.Mounts = append(m.plan.Mounts, guest.Mount{From: ssl, To: trusted})
	if err := m.addToBundles(ssl); err != nil {
		return err
	}
	return m.addByHash(filepath.Join(ssl, "certs"))
}

// distrust removes the files that sandboxes trusted.
func (m *Maker) distrust() {
	if m.trusts != "" && os.RemoveAll(m.trusts) != nil {
		m.left++
	}
	m.trusts = ""
}

// copyTrusted copies what every user of this machine may read; keys are not among
// it.
func copyTrusted(to string) error {
	from, err := filepath.EvalSymlinks(trusted)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Mkdir(to, 0o755)
	}
	if err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		target, mode := filepath.Join(to, strings.TrimPrefix(path, from)), st.Mode()
		switch {
		case d.IsDir() && mode&0o5 == 0o5:
			return os.Mkdir(target, 0o755)
		case d.IsDir():
			return fs.SkipDir
		case mode&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case mode.IsRegular() && mode&0o4 != 0:
			return appendTo(target, path, nil)
		}
		return nil
	})
}

// appendTo makes a file of another's content and some more.
func appendTo(target, path string, more []byte) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(doc) > 0 && len(more) > 0 && !bytes.HasSuffix(doc, []byte("\n")) {
		doc = append(doc, '\n')
	}
	return os.WriteFile(target, append(doc, more...), 0o644)
}

// addToBundles adds the certificate to every bundle: to the copy of those in
// trusted, over the others by a mount.
func (m *Maker) addToBundles(ssl string) error {
	done := map[string]bool{}
	for i, name := range bundles {
		path, err := filepath.EvalSymlinks(name) // one is often another by a link
		if errors.Is(err, fs.ErrNotExist) || done[path] {
			continue
		}
		if err != nil {
			return err
		}
		done[path] = true
		copied := filepath.Join(m.trusts, "bundle-"+strconv.Itoa(i))
		if rest, ok := strings.CutPrefix(path, trusted+"/"); ok {
			copied = filepath.Join(ssl, rest)
		} else {
			m.plan.Mounts = append(m.plan.Mounts, guest.Mount{From: copied, To: path, File: true})
		}
		if err := appendTo(copied, path, m.Authority); err != nil {
			return err
		}
	}
	if len(done) > 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(ssl, "certs"), 0o755); err != nil { // this machine trusts nobody
		return err
	}
	return os.WriteFile(filepath.Join(ssl, strings.TrimPrefix(bundles[0], trusted)), m.Authority, 0o644)
}

// addByHash has OpenSSL find the certificate in a directory, where it looks for
// the hash of the name; other programs read all files that there are.
func (m *Maker) addByHash(certs string) error {
	if st, err := os.Lstat(certs); err != nil || !st.IsDir() {
		return nil // a link to what has the bundle
	}
	hash, err := subjectHash(m.Authority)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		err := os.Symlink(AuthorityFile, filepath.Join(certs, fmt.Sprintf("%08x.%d", hash, n)))
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
}

// subjectHash is OpenSSL's X509_NAME_hash of the subject of a certificate: of its
// attributes with their texts in lower case, without needless white space, and as
// UTF-8.
func subjectHash(certificate []byte) (uint32, error) {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return 0, errors.New("the authority's certificate is not PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return 0, fmt.Errorf("the authority's certificate: %w", err)
	}
	var name pkix.RDNSequence
	if _, err := asn1.Unmarshal(c.RawSubject, &name); err != nil {
		return 0, err
	}
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value string `asn1:"utf8"`
	}
	var canonical []byte
	for _, set := range name {
		var attributes []attribute
		for _, a := range set {
			text, _ := a.Value.(string)
			attributes = append(attributes, attribute{a.Type, strings.ToLower(strings.Join(strings.Fields(text), " "))})
		}
		der, err := asn1.MarshalWithParams(attributes, "set")
		if err != nil {
			return 0, err
		}
		canonical = append(canonical, der...)
	}
	sum := sha1.Sum(canonical)
	return binary.LittleEndian.Uint32(sum[:]), nil
}
